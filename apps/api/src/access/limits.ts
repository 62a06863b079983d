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
    /** What a request to the route is counted among; `request` where it does not say. */
    slot?: Slot;
  }
}

/** Requests that are answered soon, uploads that take as long as they take, streams that stay, and who measures us. */
export type Slot = 'request' | 'upload' | 'stream' | 'probe';

export interface LimitOptions {
  /** Requests of one principal at the same time, beside uploads and event streams. */
  maxRequests: number;
  maxUploads: number;
  maxStreams: number;
}

/** Of those who measure, all together. */
const MAX_PROBES = 8;
/** Mean delay of the event loop, in milliseconds, from which the process is behind and takes nothing more. */
const MAX_DELAY_MS = 1000;
/** Who has fewer in hand is answered all the same. */
const MODEST = 4;

/**
 * Refuses what is too much for the whole process, before anything is done for it, so that what has been taken is
 * answered and memory stays bounded; of the places there are, each principal has its share (places.ts). Health is
 * asked at any time, metrics and an admin's requests as long as the process lives. To be added once it is known who
 * asks. Errors: `overloaded`, which carries Retry-After.
 */
export async function limitLoad(
  server: FastifyInstance,
  { maxRequests, maxUploads, maxStreams }: LimitOptions,
): Promise<void> {
  const places: Record<Slot, Places> = {
    request: new Places(maxRequests),
    upload: new Places(maxUploads),
    stream: new Places(maxStreams),
    probe: new Places(MAX_PROBES),
  };
  await server.register(underPressure, {
    maxEventLoopDelay: MAX_DELAY_MS,
    pressureHandler: (request) => {
      const { principal } = request;
      if (accessOf(request) === 'open' || accessOf(request) === 'metrics' || isOperator(principal)) return;
      // Where there are keys, those go without who are not what keeps it busy.
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

/** Whether it is one of those who run this server: an admin, where not everyone is one. */
function isOperator(principal: Principal | null): boolean {
  return principal !== null && principal !== EVERYONE && principal.scopes.has('admin');
}

/**
 * Holds each principal to its own limits. Counted in memory: each API process allows as much. Errors: `rate_limited`,
 * which carries Retry-After.
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
