import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

interface Grant {
  readonly redirectUri: string;
  readonly clientId: string;
  readonly challenge: string;
}

/**
 * A fake OpenID provider for tests in a browser: discovery (OpenID Connect Discovery 1.0), the authorization and token
 * endpoints of the code flow (RFC 6749, section 4.1) with PKCE (RFC 7636) and `iss` (RFC 9207), and its keys (RFC
 * 7517). It signs in whoever clicks, and refuses what a provider must refuse.
 */
export class FakeProvider {
  readonly url: string;
  readonly clientId = 'console';
  /** The results of its token endpoint, in order: `ok`, or an error of RFC 6749, section 5.2. */
  readonly exchanges: string[] = [];
  redirectUri = '';
  readonly #server: Server;
  readonly #key: CryptoKey;
  readonly #jwk: JWK;
  readonly #grants = new Map<string, Grant>();

  private constructor(server: Server, key: CryptoKey, jwk: JWK) {
    this.#server = server;
    this.#key = key;
    this.#jwk = jwk;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<FakeProvider> {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', use: 'sig', alg: 'RS256' };
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeProvider(server, privateKey, jwk);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    response.setHeader('access-control-allow-origin', '*');
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /.well-known/openid-configuration':
        return json(response, 200, {
          issuer: this.url,
          authorization_endpoint: `${this.url}/authorize`,
          token_endpoint: `${this.url}/token`,
          jwks_uri: `${this.url}/jwks`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
          code_challenge_methods_supported: ['S256'],
        });
      case 'GET /jwks':
        return json(response, 200, { keys: [this.#jwk] });
      case 'GET /authorize':
        return this.#ask(url, response);
      case 'POST /authorize':
        return this.#redirect(url, response);
      case 'POST /token':
        return this.#exchange(new URLSearchParams(await text(request)), response);
      case 'GET /favicon.ico':
        response.writeHead(204).end();
        return;
      default:
        return json(response, 404, {});
    }
  }

  #ask({ search, searchParams: query }: URL, response: ServerResponse): void {
    const isGood =
      query.get('response_type') === 'code' &&
      query.get('client_id') === this.clientId &&
      query.get('redirect_uri') === this.redirectUri &&
      query.get('code_challenge_method') === 'S256' &&
      (query.get('code_challenge') ?? '').length === 43 &&
      (query.get('scope') ?? '').split(' ').includes('openid');
    const form = (name: string, label: string) =>
      `<form method="post" action="/authorize${search.replaceAll('"', '')}&${name}=1"><button>${label}</button></form>`;
    response.writeHead(isGood ? 200 : 400, { 'content-type': 'text/html' });
    response.end(isGood ? form('allow', 'Continue as Ada') + form('deny', 'Cancel') : 'invalid_request');
  }

  #redirect({ searchParams: query }: URL, response: ServerResponse): void {
    const to = new URL(query.get('redirect_uri') ?? '');
    to.searchParams.set('state', query.get('state') ?? '');
    to.searchParams.set('iss', this.url);
    if (query.has('deny')) {
      to.searchParams.set('error', 'access_denied');
      to.searchParams.set('error_description', 'Ada does not want to');
    } else {
      const code = randomUUID();
      const [redirectUri, clientId, challenge] = [
        query.get('redirect_uri') ?? '',
        query.get('client_id') ?? '',
        query.get('code_challenge') ?? '',
      ];
      this.#grants.set(code, { redirectUri, clientId, challenge });
      to.searchParams.set('code', code);
    }
    response.writeHead(303, { location: to.href }).end();
  }

  async #exchange(form: URLSearchParams, response: ServerResponse): Promise<void> {
    const code = form.get('code') ?? '';
    const grant = this.#grants.get(code);
    // A code can be used only once.
    this.#grants.delete(code);
    const verifier = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isGood =
      form.get('grant_type') === 'authorization_code' &&
      grant?.redirectUri === form.get('redirect_uri') &&
      grant?.clientId === form.get('client_id') &&
      grant?.challenge === verifier;
    this.exchanges.push(isGood ? 'ok' : 'invalid_grant');
    if (!isGood) return json(response, 400, { error: 'invalid_grant' });
    const token = await new SignJWT({ scope: 'openid submit search' })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuer(this.url)
      .setSubject('ada')
      .setAudience('embedmill')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(this.#key);
    return json(response, 200, { access_token: token, token_type: 'Bearer', expires_in: 300 });
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
