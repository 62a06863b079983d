import { setTimeout as sleep } from 'node:timers/promises';
import { jobLogLineSchema, readKept, type JobId, type JobLogLine, type JobNote } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { answered } from './connection.ts';
import { INGEST_QUEUE } from './names.ts';

/** Of a job, the lines that are kept: the last. */
export const MOST_LINES = 200;
const MOST_CHARACTERS = 600;
/** Lines that are not taken yet; beyond, they are lost. */
const MOST_WAITING = 1000;
const TRIES = 4;
const AGAIN_MS = 50;

/**
 * What happened to a job, in some lines that any process adds and any reads: BullMQ's own log of the job, which is
 * bounded and gone with it. Nobody waits for a line: where the broker does not take it, it is lost, and the job goes on.
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

  /** Where two processes add a line at once, PostgreSQL takes one of them. */
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

  /** The oldest first. A line of a later version’s, which is not known here, is left out. */
  async read(id: JobId): Promise<JobLogLine[]> {
    const { logs } = await answered(this.#broker.queues.get(INGEST_QUEUE).getJobLogs(id));
    return logs.flatMap((line) => {
      const { data } = readKept(jobLogLineSchema, JSON.parse(line));
      return data === undefined ? [] : [data];
    });
  }
}
