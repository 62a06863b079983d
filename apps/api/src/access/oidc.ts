import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { EmbedmillError, SCOPES, tenantSchema } from '@embedmill/jobs';
import type { Principal } from './principal.ts';

export interface OidcOptions {
  issuer: string;
  audience: string;
  scopeClaim: string;
  /** If undefined, tokens have no tenant; if set, tokens without it are refused. */
  tenantClaim: string | undefined;
  /** The client id of the console; undefined if it cannot sign in. */
  clientId?: string | undefined;
  /** The scopes that it requests. */
  scopes?: readonly string[];
}

/** Only signatures by the issuer's private key: neither none, nor HS256, for which its public key could be used. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** The tolerated difference of the issuer's clock, in seconds. */
const CLOCK_TOLERANCE = 30;
const ANSWER_MS = 5000;
/** How long a failed fetch of the issuer's keys is remembered, so that many requests do not cause many fetches. */
const RETRY_MS = 5000;
/** How soon after a fetch an unknown key may cause another one. */
const COOLDOWN_MS = 30_000;

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/**
 * Principals by JSON Web Tokens of one OpenID Connect issuer. Its keys are fetched with the first token, and again when a
 * token names an unknown key. So keys can be rotated, and the issuer may be unavailable at startup.
 */
export class Oidc {
  readonly #options: OidcOptions;
  readonly #cooldownMs: number;
  #keys: { found: Promise<JWTVerifyGetKey>; until: number } | undefined;

  constructor(options: OidcOptions, cooldownMs = COOLDOWN_MS) {
    this.#options = options;
    this.#cooldownMs = cooldownMs;
  }

  /** Whether a credential has the form of a token. */
  static isToken(credential: string): boolean {
    return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(credential);
  }

  /** Errors: `unauthenticated`, `forbidden` for insufficient claims, `identity_unavailable`. */
  async principalOf(token: string): Promise<Principal> {
    const { issuer, audience } = this.#options;
    const keys = await this.#issuerKeys();
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE,
      requiredClaims: ['exp', 'sub'],
    }).catch((error: unknown) => {
      throw isRefusal(error)
        ? new EmbedmillError('unauthenticated', `the token was rejected: ${error.message}`, { cause: error })
        : this.#unavailable(error);
    });
    return this.#principal(payload);
  }

  #principal(payload: JWTPayload): Principal {
    const { scopeClaim, tenantClaim } = this.#options;
    const given = claimOf(payload, scopeClaim);
    const names = typeof given === 'string' ? given.split(' ') : Array.isArray(given) ? given : [];
    const scopes = new Set(SCOPES.filter((scope) => names.includes(scope)));
    const name = `token of ${String(payload.sub)}`;
    const tenant =
      tenantClaim === undefined ? undefined : tenantSchema.safeParse(claimOf(payload, tenantClaim));
    if (tenant?.success === false && !scopes.has('admin')) {
      const message = `${name} names no tenant: its claim ${JSON.stringify(tenantClaim)} must be a string`;
      throw new EmbedmillError('forbidden', message);
    }
    if (tenant?.success === true && scopes.has('admin')) {
      const message = `${name} belongs to an admin but names a tenant; an admin has none, because collections belong to all tenants`;
      throw new EmbedmillError('forbidden', message);
    }
    return {
      name,
      scopes,
      tenant: tenant?.data,
      collections: undefined,
      requestsPerSecond: undefined,
      concurrency: undefined,
    };
  }

  #issuerKeys(): Promise<JWTVerifyGetKey> {
    if (this.#keys !== undefined && this.#keys.until > Date.now()) return this.#keys.found;
    const looking = { found: this.#discover(), until: Infinity };
    looking.found.catch(() => (looking.until = Date.now() + RETRY_MS));
    this.#keys = looking;
    return looking.found;
  }

  /** As in OpenID Connect Discovery 1.0. */
  async #discover(): Promise<JWTVerifyGetKey> {
    const { issuer } = this.#options;
    const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    try {
      const response = await fetch(address, { signal: AbortSignal.timeout(ANSWER_MS) });
      if (!response.ok) throw new Error(`${address} answers ${response.status}`);
      const found = discoverySchema.parse(await response.json());
      if (found.issuer !== issuer) throw new Error(`${address} belongs to another issuer, ${found.issuer}`);
      const timing = { timeoutDuration: ANSWER_MS, cooldownDuration: this.#cooldownMs };
      return createRemoteJWKSet(new URL(found.jwks_uri), timing);
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  #unavailable(cause: unknown): EmbedmillError {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `cannot fetch the keys of ${this.#options.issuer}: ${why}; try again in a moment`;
    return new EmbedmillError('identity_unavailable', message, { cause, retryAfter: RETRY_MS / 1000 });
  }
}

/** Whether the token is at fault, rather than the fetch of the issuer's keys. */
function isRefusal(error: unknown): error is errors.JOSEError {
  if (!(error instanceof errors.JOSEError)) return false;
  return !['ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID'].includes(error.code);
}

/** A claim by its name or, if there is none, by its path, such as `realm_access.roles`. */
function claimOf(payload: JWTPayload, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path];
  let value: unknown = payload;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
