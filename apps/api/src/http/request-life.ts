import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { EmbedmillError } from '@embedmill/jobs';

/**
 * The lifetime of a request: until it was answered or its client disconnected, and until its work has ended. What a request
 * holds, such as a slot, it holds as long.
 *
 * Invariants: `signal` aborts once, if the client disconnects before the response. Handlers of all routes run with their
 * request's life, so that whatever they call can access it without a parameter.
 */
export interface RequestLife {
  /** Aborts if the client disconnects before the response. */
  readonly signal: AbortSignal;
}

const living = new AsyncLocalStorage<RequestLife>();
/** Unfinished work of a request. */
const works = new WeakMap<FastifyRequest, Promise<unknown>>();

/** Aborts when the client of the current request disconnects; undefined outside of a request. */
export function clientSignal(): AbortSignal | undefined {
  return living.getStore()?.signal;
}

/** To be called between the steps of long work. Errors: `client_gone`. */
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

/** Runs all handlers of routes that are added from now on with their request's life. */
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

/** Runs once the request was answered or its client disconnected, and its work has ended. */
export function whenOver(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  reply.raw.once('close', () => {
    const work = works.get(request);
    if (work === undefined) done();
    else work.then(done, done);
  });
}
