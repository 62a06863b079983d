import { closeSync, openSync, writeSync } from 'node:fs';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { EmbedmillError } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import { accessOf } from './authorize.ts';

/** Who did what, or was denied it. */
interface AuditLine {
  time: string;
  principal: string | null;
  tenant: string | null;
  /** Method and route. */
  action: string;
  target: unknown;
  /** The location of the created resource. */
  created: string | null;
  outcome: 'done' | 'denied' | 'refused' | 'failed' | 'broken off';
  status: number;
  request: string;
  address: string;
}

/**
 * Writes a JSON line for each request that changes something and for each denied request: to the log, as `audit`, and to a
 * file if configured. Lines are written to the file one by one as they occur, so that they survive whatever happens to the
 * process. They contain no keys, and all values are encoded.
 */
export function auditRequests(
  server: FastifyInstance,
  file: string | undefined,
  log: Pick<Log, 'info' | 'error'>,
): void {
  const out = file === undefined ? undefined : openAuditFile(file);
  server.addHook('onClose', async () => {
    if (out !== undefined) closeSync(out);
  });
  server.addHook('onRequest', async (request, reply) => {
    // Now, because the line must also be written if the client has disconnected.
    reply.raw.once('close', () => {
      const line = lineOf(request, reply);
      if (line.outcome !== 'denied' && !isChange(request)) return;
      log.info({ audit: line }, 'audit');
      if (out === undefined) return;
      try {
        writeSync(out, `${JSON.stringify(line)}\n`);
      } catch (error) {
        log.error({ err: error, audit: line }, 'cannot write a line to the audit file');
      }
    });
  });
}

function isChange(request: FastifyRequest): boolean {
  if (request.method === 'GET') return false;
  switch (accessOf(request)) {
    case 'submit':
    case 'admin':
      return true;
    case 'open':
    case 'any':
    case 'metrics':
    case 'search':
      return false;
  }
}

function lineOf(request: FastifyRequest, reply: FastifyReply): AuditLine {
  const { principal, method, params } = request;
  const location = reply.getHeader('location');
  return {
    time: new Date().toISOString(),
    principal: principal?.name ?? null,
    tenant: principal?.tenant ?? null,
    action: `${method} ${request.routeOptions.url ?? 'unknown'}`,
    target: params,
    created: typeof location === 'string' ? location : null,
    outcome: outcomeOf(reply),
    status: reply.statusCode,
    request: request.id,
    address: request.ip,
  };
}

function outcomeOf({ raw, statusCode }: FastifyReply): AuditLine['outcome'] {
  if (statusCode === 401 || statusCode === 403) return 'denied';
  if (!raw.writableFinished) return 'broken off';
  if (statusCode < 400) return 'done';
  return statusCode < 500 ? 'refused' : 'failed';
}

function openAuditFile(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    const message = `EMBEDMILL_API_AUDIT_FILE: ${path} cannot be written: ${(error as Error).message}`;
    throw new EmbedmillError('invalid_config', message, { cause: error });
  }
}
