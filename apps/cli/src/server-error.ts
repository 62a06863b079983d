import { z } from 'zod';
import type { ErrorDetail } from '@embedmill/jobs';
import { CommandError } from './exit.ts';

/** What the API answered instead: an RFC 9457 problem. */
export class ServerError extends CommandError {
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
  readonly details: ErrorDetail[];

  constructor(
    message: string,
    problem: { code: string; status: number; retryable: boolean; details: ErrorDetail[] },
  ) {
    super(message);
    this.name = 'ServerError';
    this.code = problem.code;
    this.status = problem.status;
    this.retryable = problem.retryable;
    this.details = problem.details;
  }
}

/** Nobody answered, or the connection broke. */
export class Unreachable extends CommandError {
  constructor(url: string, cause: unknown) {
    super(
      `no embedmill answers at ${url} (${reasonOf(cause)}); start one with: npx embedmill up`,
      undefined,
      { cause },
    );
    this.name = 'Unreachable';
  }
}

const problemSchema = z.object({
  title: z.string(),
  detail: z.string().optional(),
  code: z.string(),
  retryable: z.boolean().default(false),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
});

/** What an answer that is none means. */
export function problemOf(url: string, status: number, body: string): CommandError {
  const problem = problemSchema.safeParse(parseJson(body)).data;
  if (problem === undefined) return new CommandError(`${url} answered ${status}: ${body.slice(0, 200)}`);
  const { code, title, detail, retryable, errors } = problem;
  const several =
    errors.length > 1 ? errors.map(({ path, message }) => `\n  ${path}: ${message}`).join('') : '';
  const advice =
    code === 'unauthenticated' ? '\nSet EMBEDMILL_KEY to your key, or give it with --api-key.' : '';
  return new ServerError(`${detail ?? title}${several}${advice}`, {
    code,
    status,
    retryable,
    details: errors,
  });
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Why a connection failed, in the words of whoever knows best. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says no more than "fetch failed"; its cause says why, and where several addresses were tried, theirs do.
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner instanceof Error ? reasonOf(inner) : error.message;
}
