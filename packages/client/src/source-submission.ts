import type { Call, CallOptions, Connection } from './connection.ts';
import type { FileTarget, Job, JobOptions, ServerSource } from './schemas.ts';

/** The target of a job's vectors: the collection with this name, or a file. */
export type JobTarget = string | FileTarget;

/** Submits a source that the server reads itself. */
export function submitSource(
  server: Connection,
  target: JobTarget,
  source: ServerSource,
  { signal, ...options }: CallOptions & SourceOptions = {},
): Promise<Job> {
  return server.read(sourceCall(target, source, options), { signal });
}

type SourceOptions = JobOptions & { idempotencyKey?: string | undefined };

/** The request that creates a job from the server's source; repeated, it returns the same job. */
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
