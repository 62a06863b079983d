import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { EmbedmillError } from '@embedmill/jobs';

/**
 * How long a request lives: until it was answered or its client went, and until the work that was done for it has
 * ended. What a request holds, such as a slot, it holds as long.
 *
 * Invariants: `signal` aborts once, where the client goes before its answer. Handlers of all routes run with their
 * request's life, so that whatever they call can look at it without being handed it.
 */
export interface RequestLife {
  /** Aborts when the client goes before its answer. */
  readonly signal: AbortSignal;
}

const living = new AsyncLocalStorage<RequestLife>();
/** What was begun for a request, until it has ended. */
const works = new WeakMap<FastifyRequest, Promise<unknown>>();

/** Aborts when the client of the request that is being worked for goes; undefined outside of any. */
export function clientSignal(): AbortSignal | undefined {
  return living.getStore()?.signal;
}

/** Errors: `client_gone`. To be asked between two steps of what takes long. */
export function assertClientWaits(): void {
  if (clientSignal()?.aborted === true) throw clientGone();
}

export function clientGone(): EmbedmillError {
  return new EmbedmillError(
    'client_gone',
    'the client disconnected before the response; its work was stopped',
  );
}

export function isClientGone(error: unknown): boolean {
  return error instanceof EmbedmillError && error.code === 'client_gone';
}

/** Gives all handlers of routes that are added from now on their request's life. */
export function watchRequests(server: FastifyInstance): void {
  server.addHook('onRoute', (route) => {
    const handler = route.handler;
    route.handler = function (request, reply) {
      const gone = new AbortController();
      const leave = (): void => {
        if (!reply.raw.writableFinished) gone.abort(clientGone());
      };
      if (reply.raw.closed) leave();
      else reply.raw.once('close', leave);
      const work: unknown = living.run({ signal: gone.signal }, () => handler.call(this, request, reply));
      if (work instanceof Promise) works.set(request, work);
      return work;
    };
  });
}

/** Once the request was answered or its client went, and the work for it has ended. */
export function whenOver(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  reply.raw.once('close', () => {
    const work = works.get(request);
    if (work === undefined) done();
    else work.then(done, done);
  });
}
