import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  exportJWK,
  exportSPKI,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from 'jose';

interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
  publicJwk: JWK;
  publicPem: string;
}

/** A test's changes to a token. */
interface TokenShape {
  claims?: JWTPayload;
  issuer?: string;
  audience?: string;
  /** Seconds from now. */
  expires?: number;
  notBefore?: number;
  kid?: string;
}

/**
 * A fake of an OpenID Connect issuer, for tests: the two documents of Discovery 1.0 and RFC 7517, and tokens signed by
 * jose with real keys. There is no login.
 */
export class FakeIssuer {
  readonly url: string;
  /** The number of requests for the keys so far. */
  looks = 0;
  /** The issuer that it states. */
  claimedIssuer: string | undefined;
  readonly #port: number;
  #server: Server;
  #published: JWK[] = [];
  #key: SigningKey;

  private constructor(server: Server, key: SigningKey) {
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.#port}/realm`;
    this.#key = key;
    this.#published = [key.publicJwk];
    this.#answer();
  }

  static async start(): Promise<FakeIssuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeIssuer(server, await newKey('first'));
  }

  /** The current key's public half, which a careless server would use as a shared secret. */
  get publicPem(): string {
    return this.#key.publicPem;
  }

  get kid(): string {
    return this.#key.kid;
  }

  /** Signs with a new key from now on; the old one is gone. */
  async rotate(): Promise<void> {
    this.#key = await newKey(`${this.#key.kid}-next`);
    this.#published = [this.#key.publicJwk];
  }

  token(shape: TokenShape = {}, key = this.#key): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const token = new SignJWT({ sub: 'ada', scope: 'openid search', ...shape.claims })
      .setProtectedHeader({ alg: 'RS256', kid: shape.kid ?? key.kid })
      .setIssuer(shape.issuer ?? this.url)
      .setAudience(shape.audience ?? 'embedmill')
      .setExpirationTime(now + (shape.expires ?? 60));
    if (shape.notBefore !== undefined) token.setNotBefore(now + shape.notBefore);
    return token.sign(key.privateKey);
  }

  /** Signed by a key that the issuer never had, under the name of the present one. */
  async forgedToken(): Promise<string> {
    return this.token({ kid: this.#key.kid }, await newKey('forged'));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Restarts at the same address. */
  async restart(): Promise<void> {
    this.#server = createServer();
    this.#answer();
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
  }

  #answer(): void {
    this.#server.on('request', (request, response) => {
      const issuer = this.claimedIssuer ?? this.url;
      const body =
        request.url === '/realm/.well-known/openid-configuration'
          ? { issuer, jwks_uri: `${this.url}/keys` }
          : { keys: this.#published };
      if (request.url === '/realm/keys') this.looks += 1;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  }
}

async function newKey(kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const publicJwk = { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' };
  return { kid, privateKey, publicJwk, publicPem: await exportSPKI(publicKey) };
}
