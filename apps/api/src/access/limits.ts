import rateLimit from '@fastify/rate-limit';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { EmbedmillError } from '@embedmill/jobs';
import { accessOf } from './authorize.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a request to the route is counted among; `request` where it does not say. */
    slot?: Slot;
  }
}

/** Requests that are answered soon, uploads that take as long as they take, and streams that stay. */
export type Slot = 'request' | 'upload' | 'stream';

export interface LimitOptions {
  /** Requests at the same time, beside uploads and event streams. */
  maxRequests: number;
  maxUploads: number;
}

/** Event streams at the same time: each is a timer and some kilobytes. */
const MAX_STREAMS = 1000;
/** Mean delay of the event loop, in milliseconds, from which the process is behind and takes nothing more. */
const MAX_DELAY_MS = 1000;

/**
 * Refuses what is too much for the whole process, before anything is done for it, so that what has been taken is
 * answered and memory stays bounded. Health is asked at any time. Errors: `overloaded`, which carries Retry-After.
 */
export async function limitLoad(
  server: FastifyInstance,
  { maxRequests, maxUploads }: LimitOptions,
): Promise<void> {
  await server.register(underPressure, {
    maxEventLoopDelay: MAX_DELAY_MS,
    pressureHandler: (request) => {
      if (accessOf(request) === 'open') return;
      throw overloaded('the server is behind with its work');
    },
  });
  const most: Record<Slot, number> = { request: maxRequests, upload: maxUploads, stream: MAX_STREAMS };
  const used: Record<Slot, number> = { request: 0, upload: 0, stream: 0 };
  server.addHook('onRequest', async (request, reply) => {
    if (accessOf(request) === 'open') return;
    const slot = request.routeOptions.config.slot ?? 'request';
    if (used[slot] >= most[slot]) throw overloaded(`${used[slot]} ${slot}s are being answered already`);
    used[slot] += 1;
    whenOver(reply, () => (used[slot] -= 1));
  });
}

/**
 * Holds each principal to its own limits. Counted in memory: each API process allows as much. Errors: `rate_limited`,
 * which carries Retry-After.
 */
export async function limitPrincipals(server: FastifyInstance): Promise<void> {
  const running = new Map<string, number>();
  server.addHook('onRequest', async ({ principal }, reply) => {
    if (principal?.concurrency === undefined) return;
    const { name, concurrency } = principal;
    const now = running.get(name) ?? 0;
    if (now >= concurrency) throw rateLimited(`${name} may have ${concurrency} requests at the same time`);
    running.set(name, now + 1);
    whenOver(reply, () => {
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
      rateLimited(`${principal?.name ?? ''} may send ${max} requests a second`),
  });
}

/** Also when the client goes before its answer, which Fastify's own hooks are not told. */
export function whenOver(reply: FastifyReply, done: () => void): void {
  reply.raw.once('close', done);
}

function overloaded(why: string): EmbedmillError {
  return new EmbedmillError('overloaded', `${why}; try again in a moment`, { retryAfter: 1 });
}

function rateLimited(why: string): EmbedmillError {
  return new EmbedmillError('rate_limited', `${why}; try again in a moment`, { retryAfter: 1 });
}
