import type { Call, CallOptions, Connection } from './connection.ts';
import type { FileTarget, Job, JobOptions, ServerSource } from './schemas.ts';

/** Where a job's vectors go: to the collection of this name, or to a file. */
export type JobTarget = string | FileTarget;

/** Submits what the server reads itself. */
export function submitSource(
  server: Connection,
  target: JobTarget,
  source: ServerSource,
  { signal, ...options }: CallOptions & SourceOptions = {},
): Promise<Job> {
  return server.read(sourceCall(target, source, options), { signal });
}

type SourceOptions = JobOptions & { idempotencyKey?: string | undefined };

/** The request that makes a job of what the server finds; asked again, it gives the same job. */
export function sourceCall(
  target: JobTarget,
  source: ServerSource,
  { idempotencyKey = crypto.randomUUID(), ...options }: SourceOptions,
): Call<Job> {
  const header = { 'idempotency-key': idempotencyKey };
  if (typeof target === 'string') {
    const params = { path: { name: target }, header };
    const body = { source, ...options } as never;
    return (api, init) => api.POST('/api/v1/collections/{name}/jobs', { ...init, params, body });
  }
  const body = { source, ...options, ...target } as never;
  return (api, init) => api.POST('/api/v1/jobs', { ...init, params: { header }, body });
}
