import type { CallOptions, Connection } from './connection.ts';
import { readOutput, type OutputOptions } from './output.ts';
import { readReports } from './reports.ts';
import type {
  DeliveredWebhook,
  DocumentReport,
  Job,
  JobLogLine,
  QueryOf,
  RetrySelection,
  Verification,
} from './schemas.ts';
import { watchJob, type WatchOptions } from './watch.ts';

/** Bulk submissions and their outcomes. */
export class Jobs {
  readonly #server: Connection;

  constructor(server: Connection) {
    this.#server = server;
  }

  /** A page of jobs, newest first; pass its `next` as `after` for the next page. */
  list({ signal, ...query }: QueryOf<'/api/v1/jobs'> & CallOptions = {}): Promise<{
    jobs: Job[];
    next: string | null;
  }> {
    const params = { query: query as object };
    return this.#server.read((api, init) => api.GET('/api/v1/jobs', { ...init, params }), { signal });
  }

  /** Errors: `job_not_found`. */
  get(id: string, options: CallOptions = {}): Promise<Job> {
    const params = { path: { id } };
    return this.#server.read((api, init) => api.GET('/api/v1/jobs/{id}', { ...init, params }), options);
  }

  /** Yields a job whenever it changes until it has finished; the last one is the finished job. */
  watch(id: string, options: WatchOptions = {}): AsyncGenerator<Job> {
    return watchJob(this.#server, id, options);
  }

  /** The finished job. */
  async finished(id: string, options: WatchOptions = {}): Promise<Job> {
    let last: Job | undefined;
    for await (const job of this.watch(id, options)) last = job;
    return last ?? this.get(id, options);
  }

  /** The last lines of its log, oldest first. */
  async log(id: string, options: CallOptions = {}): Promise<JobLogLine[]> {
    const params = { path: { id } };
    const { lines } = await this.#server.read(
      (api, init) => api.GET('/api/v1/jobs/{id}/log', { ...init, params }),
      options,
    );
    return lines;
  }

  /** The failed documents, with reasons; the generator returns how many more the job does not list. */
  failures(id: string, options: CallOptions = {}): AsyncGenerator<DocumentReport, number> {
    return readReports(this.#server, id, 'failures', options);
  }

  /** Like `failures`, for documents that occurred again later in the job, or were truncated. */
  warnings(id: string, options: CallOptions = {}): AsyncGenerator<DocumentReport, number> {
    return readReports(this.#server, id, 'warnings', options);
  }

  /** The bytes of the file that it wrote; resumes if the connection breaks. */
  output(id: string, options: OutputOptions = {}): AsyncGenerator<Uint8Array> {
    return readOutput(this.#server, id, options);
  }

  /** Cancels a job; stored documents are kept. Errors: `job_finished`. */
  cancel(id: string, options: CallOptions = {}): Promise<Job> {
    const params = { path: { id } };
    return this.#server.ask(
      (api, init) => api.POST('/api/v1/jobs/{id}/cancel', { ...init, params }),
      options,
    );
  }

  prioritize(id: string, priority: Job['priority'], options: CallOptions = {}): Promise<Job> {
    const request = { params: { path: { id } }, body: { priority } };
    return this.#server.read((api, init) => api.PATCH('/api/v1/jobs/{id}', { ...init, ...request }), options);
  }

  /**
   * Retries failed documents in a new job: all, or those with some error codes (`codes`), `lines` or `ids`. Errors:
   * `nothing_to_retry`.
   */
  retry(id: string, { codes, lines, ids, ...options }: RetrySelection & CallOptions = {}): Promise<Job> {
    const params = { path: { id } };
    const isSelected = codes !== undefined || lines !== undefined || ids !== undefined;
    const body = isSelected ? { body: { codes, lines, ids } as object } : {};
    return this.#server.read(
      (api, init) => api.POST('/api/v1/jobs/{id}/retry', { ...init, params, ...body }),
      options,
    );
  }

  /** Compares its documents with the store, and submits the missing ones; reads the whole job, without a time limit. */
  async verify(id: string, options: CallOptions = {}): Promise<Verification> {
    const params = { path: { id } };
    const { data } = await this.#server.lasting(
      (api, init) => api.POST('/api/v1/jobs/{id}/verify', { ...init, params }),
      options,
    );
    return data;
  }

  /** Forgets a finished job and its failures; stored documents are kept. */
  async forget(id: string, options: CallOptions = {}): Promise<void> {
    const params = { path: { id } };
    await this.#server.ask((api, init) => api.DELETE('/api/v1/jobs/{id}', { ...init, params }), options);
  }

  async webhookDeliveries(id: string, options: CallOptions = {}): Promise<DeliveredWebhook[]> {
    const params = { path: { id } };
    const { deliveries } = await this.#server.read(
      (api, init) => api.GET('/api/v1/jobs/{id}/webhook-deliveries', { ...init, params }),
      options,
    );
    return deliveries;
  }
}
