import { setTimeout as sleep } from 'node:timers/promises';
import { jobLogLineSchema, readKept, type JobId, type JobLogLine, type JobNote } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { answered } from './connection.ts';
import { INGEST_QUEUE } from './names.ts';

/** The number of last lines that are kept per job. */
export const MOST_LINES = 200;
const MOST_CHARACTERS = 600;
/** The most lines that wait to be written; further ones are lost. */
const MOST_WAITING = 1000;
const TRIES = 4;
const AGAIN_MS = 50;

/**
 * The log of a job, which every process can write and read: BullMQ's own job log, which is bounded and removed with the job.
 * Nobody waits for a line: if the broker does not accept it, it is lost and the job continues.
 */
export class JobLog {
  readonly #broker: Broker;
  /** The last line; the next one comes after it. */
  #written: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  note(id: JobId, { level, event, text }: JobNote): void {
    const line: JobLogLine = {
      at: new Date().toISOString(),
      level,
      event,
      text: text.slice(0, MOST_CHARACTERS),
    };
    if (this.#waiting >= MOST_WAITING) return;
    this.#waiting += 1;
    this.#written = this.#written
      .then(() => this.#write(id, JSON.stringify(line)))
      .finally(() => (this.#waiting -= 1));
  }

  /** If two processes add a line at the same time, PostgreSQL accepts one of them. */
  async #write(id: JobId, line: string): Promise<void> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      try {
        await this.#broker.queues.get(INGEST_QUEUE).addJobLog(id, line, MOST_LINES);
        return;
      } catch {
        await sleep(Math.random() * AGAIN_MS);
      }
    }
  }

  /** Oldest first. Unknown lines of a later version are omitted. */
  async read(id: JobId): Promise<JobLogLine[]> {
    const { logs } = await answered(this.#broker.queues.get(INGEST_QUEUE).getJobLogs(id));
    return logs.flatMap((line) => {
      const { data } = readKept(jobLogLineSchema, JSON.parse(line));
      return data === undefined ? [] : [data];
    });
  }
}
