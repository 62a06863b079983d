import { jobLogLineSchema, type JobId, type JobLogLine, type JobNote } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { answered } from './connection.ts';
import { INGEST_QUEUE } from './names.ts';

/** Of a job, the lines that are kept: the last. */
export const MOST_LINES = 200;
const MOST_CHARACTERS = 600;

/**
 * What happened to a job, in some lines that any process adds and any reads: BullMQ's own log of the job, which is
 * bounded and gone with it. Nobody waits for a line: where the broker does not take it, it is lost, and the job goes on.
 */
export class JobLog {
  readonly #broker: Broker;

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
    this.#broker.queues
      .get(INGEST_QUEUE)
      .addJobLog(id, JSON.stringify(line), MOST_LINES)
      .catch(() => undefined);
  }

  /** The oldest first. A line of a later version’s, which is not known here, is left out. */
  async read(id: JobId): Promise<JobLogLine[]> {
    const { logs } = await answered(this.#broker.queues.get(INGEST_QUEUE).getJobLogs(id));
    return logs.flatMap((line) => {
      const { data } = jobLogLineSchema.safeParse(JSON.parse(line));
      return data === undefined ? [] : [data];
    });
  }
}
