import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { EmbedmillError } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import type { Queue } from '@embedmill/queue';
import { ApiKeys } from './api-keys.ts';
import { credentialOf } from './credentials.ts';
import { Oidc, type OidcOptions } from './oidc.ts';
import { allows, EVERYONE, runAs, type Access, type Principal } from './principal.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route requires; `admin` by default. */
    access?: Access;
  }
  interface FastifyRequest {
    /** Null before it is known, and on open routes. */
    principal: Principal | null;
  }
}

export interface AccessOptions {
  keysFile: string | undefined;
  oidc: OidcOptions | undefined;
  /** The key that Prometheus must send for `/metrics`; without it, an admin's key is required if keys are set. */
  metricsKey: string | undefined;
  /** Whether metrics and the backlog are public although keys are set. */
  metricsOpen?: boolean;
  /** The file of the audit log, in addition to the log. */
  auditFile: string | undefined;
}

/**
 * Determines the principal of each request, refuses what it may not do, and runs the rest of the request as this principal.
 * It runs before all routes, also before bodies are read. Returns the keys, if keys are required.
 */
export function authorizeRequests(
  server: FastifyInstance,
  { keysFile, oidc, metricsKey, metricsOpen }: AccessOptions,
  kept: Queue['apiKeys'],
  log: Pick<Log, 'info' | 'warn' | 'error'>,
): ApiKeys | undefined {
  const isKeyless = keysFile === undefined && oidc === undefined;
  const keys = isKeyless ? undefined : new ApiKeys(keysFile, kept, log);
  const tokens = oidc && new Oidc(oidc);
  server.decorateRequest('principal', null);
  server.addHook('onReady', async () => keys?.ready());
  server.addHook('onClose', async () => keys?.close());
  server.addHook('onRequest', (request, reply, done) => {
    identify(request).then(
      (principal) => {
        request.principal = principal;
        if (principal === null) done();
        else runAs(principal, done, collectionOf(request));
      },
      (error: unknown) => {
        const challenge = challengeOf(error, accessOf(request));
        if (challenge !== undefined) reply.header('www-authenticate', challenge);
        done(error as Error);
      },
    );
  });
  // Reading a body continues from its socket's events, which have no principal.
  server.addHook('preValidation', (request, _reply, done) => {
    const { principal } = request;
    if (principal === null) done();
    else runAs(principal, done, collectionOf(request));
  });
  return keys;

  async function identify(request: FastifyRequest): Promise<Principal | null> {
    const needed = accessOf(request);
    // Open only to callers inside: a request forwarded by a proxy comes from elsewhere.
    const isDirect =
      request.headers['x-forwarded-for'] === undefined && request.headers.forwarded === undefined;
    const isOpen = (metricsOpen === true && isDirect) || (isKeyless && metricsKey === undefined);
    if (needed === 'open' || (needed === 'metrics' && isOpen)) return null;
    if (isKeyless && needed !== 'metrics') return EVERYONE;
    const credential = credentialOf(request.headers);
    if (credential === undefined) {
      const message = 'this request needs a key; send it as Authorization: Bearer em_…';
      throw new EmbedmillError('unauthenticated', message);
    }
    if (needed === 'metrics' && metricsKey !== undefined && isSame(credential, metricsKey)) return null;
    const principal =
      tokens !== undefined && Oidc.isToken(credential)
        ? await tokens.principalOf(credential)
        : keys?.principalOf(credential);
    if (principal === undefined) {
      throw new EmbedmillError(
        'unauthenticated',
        'the key is unknown; ask the operator of this server for one',
      );
    }
    request.principal = principal;
    if (allows(principal, needed)) return principal;
    const message = `${principal.name} lacks the scope "${needed}", which ${request.method} ${request.routeOptions.url ?? ''} needs`;
    throw new EmbedmillError('forbidden', message);
  }
}

/** What the request's route requires. An unknown path requires any key, so that it reveals nothing. */
export function accessOf(request: FastifyRequest): Access {
  return request.is404 ? 'any' : (request.routeOptions.config.access ?? 'admin');
}

/** The collection in the request's path. */
function collectionOf({ routeOptions, params }: FastifyRequest): string | undefined {
  if (!routeOptions.url?.startsWith('/api/v1/collections/:name')) return undefined;
  return (params as { name?: string }).name;
}

/** How to do better (RFC 6750, section 3). */
function challengeOf(error: unknown, needed: Access): string | undefined {
  if (!(error instanceof EmbedmillError)) return undefined;
  switch (error.code) {
    case 'unauthenticated':
      return 'Bearer realm="embedmill"';
    case 'forbidden':
      return `Bearer realm="embedmill", error="insufficient_scope", scope="${needed}"`;
    default:
      return undefined;
  }
}

/** By their hashes, which are of one length. */
function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', wanted, 'buffer'));
}
