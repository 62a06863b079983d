import rateLimit from '@fastify/rate-limit';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import { EmbedmillError } from '@embedmill/jobs';
import { whenOver } from '../http/request-life.ts';
import { accessOf } from './authorize.ts';
import { EVERYONE, type Principal } from './principal.ts';
import { Places } from './places.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The kind of place that a request to the route takes; `request` by default. */
    slot?: Slot;
  }
}

/** Short requests, uploads of any duration, lasting streams, and probes. */
export type Slot = 'request' | 'upload' | 'stream' | 'probe';

export interface LimitOptions {
  /** Concurrent requests of one principal, without uploads and event streams. */
  maxRequests: number;
  maxUploads: number;
  maxStreams: number;
  /** The mean event loop delay, in milliseconds, above which the process is overloaded and accepts nothing more; 0: none. */
  maxDelayMs?: number;
}

/** All probes together. */
const MAX_PROBES = 8;
const MAX_DELAY_MS = 1000;
/** A principal with fewer concurrent requests is served all the same. */
const MODEST = 4;

/**
 * Refuses what exceeds the capacity of the process before any work is done for it (backpressure), so that accepted requests
 * are answered and memory stays bounded. Each principal has its share of the places (places.ts). Health requests are always
 * accepted, metrics and an admin's requests as long as the process is alive. Must be added after the principal is known.
 * Errors: `overloaded`, with Retry-After.
 */
export async function limitLoad(
  server: FastifyInstance,
  { maxRequests, maxUploads, maxStreams, maxDelayMs = MAX_DELAY_MS }: LimitOptions,
): Promise<void> {
  const places: Record<Slot, Places> = {
    request: new Places(maxRequests),
    upload: new Places(maxUploads),
    stream: new Places(maxStreams),
    probe: new Places(MAX_PROBES),
  };
  await server.register(underPressure, {
    maxEventLoopDelay: maxDelayMs,
    pressureHandler: (request) => {
      const { principal } = request;
      if (accessOf(request) === 'open' || accessOf(request) === 'metrics' || isOperator(principal)) return;
      // With keys, principals that do not cause the load are exempt.
      const own = Object.values(places).reduce((sum, one) => sum + one.takenBy(principal?.name ?? ''), 0);
      if (principal !== EVERYONE && own < MODEST) return;
      throw overloaded('the server is overloaded');
    },
  });
  server.addHook('onRequest', async (request, reply) => {
    const access = accessOf(request);
    const { slot: own } = request.routeOptions.config;
    if (access === 'open' && own === undefined) return;
    const slot = access === 'metrics' ? 'probe' : (own ?? 'request');
    const { principal } = request;
    const name = principal?.name ?? '';
    const taken = places[slot].take(name, isOperator(principal));
    if (taken !== undefined)
      throw overloaded(`${taken.own} of your ${slot}s, and ${taken.all} in all, are already being answered`);
    whenOver(request, reply, () => places[slot].giveBack(name));
  });
}

/** Whether the principal is an operator: an admin, unless everyone is one. */
function isOperator(principal: Principal | null): boolean {
  return principal !== null && principal !== EVERYONE && principal.scopes.has('admin');
}

/**
 * Enforces the limits of each principal. They are counted in memory, so each API process allows as much. Errors:
 * `rate_limited`, with Retry-After.
 */
export async function limitPrincipals(server: FastifyInstance): Promise<void> {
  const running = new Map<string, number>();
  server.addHook('onRequest', async (request, reply) => {
    const { principal } = request;
    if (principal?.concurrency === undefined) return;
    const { name, concurrency } = principal;
    const now = running.get(name) ?? 0;
    if (now >= concurrency) throw rateLimited(`${name} may have ${concurrency} concurrent requests`);
    running.set(name, now + 1);
    whenOver(request, reply, () => {
      const left = (running.get(name) ?? 1) - 1;
      if (left === 0) running.delete(name);
      else running.set(name, left);
    });
  });
  await server.register(rateLimit, {
    timeWindow: 1000,
    max: ({ principal }) => principal?.requestsPerSecond ?? Infinity,
    keyGenerator: ({ principal }) => principal?.name ?? '',
    allowList: ({ principal }) => principal?.requestsPerSecond === undefined,
    errorResponseBuilder: ({ principal }, { max }) =>
      rateLimited(`${principal?.name ?? ''} may send ${max} requests per second`),
  });
}

function overloaded(why: string): EmbedmillError {
  return new EmbedmillError('overloaded', `${why}; try again in a moment`, { retryAfter: 1 });
}

function rateLimited(why: string): EmbedmillError {
  return new EmbedmillError('rate_limited', `${why}; try again in a moment`, { retryAfter: 1 });
}
