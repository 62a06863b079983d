import {
  jobSchema,
  NO_PROGRESS,
  parseDocument,
  verificationSchema,
  type ErrorCode,
  type Job,
  type Verification,
} from '@embedmill/jobs';

export const NOW = '2026-01-02T03:04:05.000Z';

/** A job as it is when it was submitted. */
export const NEW_JOB: Job = {
  ...NO_PROGRESS,
  id: 'job_1',
  sequence: 1,
  scanned: true,
  collection: 'c',
  state: 'queued',
  priority: 'normal',
  source: 'upload',
  retryOf: null,
  mode: 'upsert',
  dryRun: false,
  sourceName: null,
  output: null,
  webhook: null,
  error: null,
  paused: false,
  waitingFor: null,
  createdAt: NOW,
  startedAt: null,
  finishedAt: null,
  seconds: 0,
};

/** The jobs of FakeApi, with their lines; what their documents come to is decided by these. */
export class FakeJobs {
  readonly all = new Map<string, Job>();
  /** Lines of each job. */
  readonly uploads = new Map<string, string[]>();

  create(collection: string, lines: string[], retryOf: string | null = null): Job {
    const id = `job_${this.all.size + 1}`;
    this.uploads.set(id, lines);
    const job: Job = { ...NEW_JOB, id, sequence: this.all.size + 1, collection, retryOf };
    return this.put(job);
  }

  /** queued → running, half of it done → completed. */
  step(id: string): Job {
    const job = this.require(id);
    const documents = this.uploads.get(id)?.length ?? 0;
    if (job.state === 'queued') {
      return this.put({
        ...job,
        state: 'running',
        documents,
        done: Math.floor(documents / 2),
        startedAt: NOW,
      });
    }
    if (job.state !== 'running') return job;
    const failed = this.failed(id).length;
    const stored = documents - failed;
    const done = { done: documents, stored, failed, chunks: stored, tokens: stored * 9 };
    return this.put({ ...job, ...done, state: 'completed', seconds: 2, finishedAt: NOW });
  }

  failed(id: string): { line: string; at: number; code: ErrorCode; message: string }[] {
    return (this.uploads.get(id) ?? []).flatMap((line, index) => {
      const parsed = parseDocument(JSON.parse(line), { filterable: {} });
      return parsed.ok
        ? []
        : [{ line, at: index + 1, code: parsed.error.code, message: parsed.error.message }];
    });
  }

  /** Documents whose id begins with `lost` are missing. */
  verify(id: string): Verification {
    const { state, collection } = this.require(id);
    const lines = this.uploads.get(id) ?? [];
    const failed = this.failed(id).length;
    const lost = lines.filter((line) => line.includes('"lost'));
    const again = lost.length === 0 ? null : this.create(collection, lost, id).id;
    return verificationSchema.parse({
      job: id,
      state,
      recovered: false,
      documents: lines.length,
      failed,
      missing: lost.length,
      stored: lines.length - failed - lost.length,
      deleted: 0,
      resubmitted: again,
      missingIds: lost.map((line) => (JSON.parse(line) as { id: string }).id),
    });
  }

  require(id: string): Job {
    const job = this.all.get(id);
    if (job === undefined) throw new Error(`no job ${id}`);
    return job;
  }

  /** Held to the schema. */
  put(job: Job): Job {
    this.all.set(job.id, jobSchema.parse(job));
    return job;
  }
}
