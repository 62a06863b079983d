import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';

/** The headers that a page of another origin may read: for ranges of files, retries and rate limits. */
const EXPOSED = ['etag', 'retry-after', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'];
const DAY_SECONDS = 24 * 3600;

/**
 * Lets pages of these origins call the server from a browser, with a key that they send themselves; cookies are not
 * used.
 */
export async function allowOrigins(server: FastifyInstance, origins: readonly string[]): Promise<void> {
  await server.register(cors, {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: EXPOSED,
    maxAge: DAY_SECONDS,
  });
}

/** Whether a request comes from an allowed page. */
export function isAllowedOrigin(origin: string | undefined, origins: readonly string[]): boolean {
  return origin !== undefined && (origins.includes('*') || origins.includes(origin));
}
