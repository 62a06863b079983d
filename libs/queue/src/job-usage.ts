import type { Queue as BullQueue } from 'bullmq';
import { dayOf, type JobId } from '@embedmill/jobs';
import { workLeft } from './backlog.ts';
import type { Broker } from './broker.ts';
import { answered } from './connection.ts';
import type { IngestRecord } from './ingest-record.ts';
import { allJobs } from './job-list.ts';
import { INGEST_QUEUE } from './names.ts';
import { amountsOf, countsOf, usageCounts, usageOwner, UsageSum, type UsageEntry } from './usage.ts';

const DAY_MS = 24 * 3600 * 1000;

/** What is used, of jobs that are known and of all else: a job's is in its record until it is removed. */
export class JobUsage {
  readonly #broker: Broker;
  readonly #ingest: BullQueue<IngestRecord>;
  readonly #keptSeconds: number;

  constructor(broker: Broker, keptSeconds: number) {
    this.#broker = broker;
    this.#ingest = broker.queues.get(INGEST_QUEUE);
    this.#keptSeconds = keptSeconds;
  }

  /**
   * What was used on the days from one to another (UTC, both included), jobs that are under way included. Jobs that are
   * known have their own; that of those that were removed is kept in the broker's counts, with that of queries.
   */
  async between(from: string, to: string): Promise<UsageEntry[]> {
    const days: string[] = [];
    for (let day = from; day <= to; day = dayOf(Date.parse(day) + DAY_MS)) days.push(day);
    const sum = new UsageSum();
    // In this order a job that is removed meanwhile may be missed for once, and is never counted twice.
    const [counts, jobs] = [
      await answered(this.#broker.readCounts(days.map(usageCounts))),
      await allJobs(this.#ingest),
    ];
    for (const [n, day] of days.entries()) sum.addCounts(day, counts[n] ?? {});
    for (const { data } of jobs) {
      for (const [day, amounts] of Object.entries(data.usage ?? {}))
        if (day >= from && day <= to) sum.add(usageOwner(data), day, amounts);
    }
    return sum.entries;
  }

  /** What accepted jobs have left to do, as usage of today: estimates. */
  async ahead(): Promise<UsageEntry[]> {
    const sum = new UsageSum();
    const day = dayOf(Date.now());
    for (const { data } of await allJobs(this.#ingest)) {
      const { documents, tokens } = workLeft(data);
      const unscanned = data.source.kind === 'inline' && data.progress.documents === 0;
      const lines = unscanned && data.source.kind === 'inline' ? data.source.lines.length : 0;
      if (tokens > 0) sum.add(usageOwner(data), day, { documents: documents + lines, tokens, engineMs: 0 });
    }
    return sum.entries;
  }

  /** Counts usage that is no job's. */
  async count(entries: readonly UsageEntry[]): Promise<void> {
    const added = entries.flatMap((entry) => countsOf(entry, { [entry.day]: amountsOf(entry) }));
    await answered(this.#broker.addCounts(added, this.#keptSeconds));
  }

  /** Moves a job's usage to the broker's counts, once whatever dies in between. */
  async keep(id: JobId): Promise<void> {
    const change = (data: unknown) => {
      const record = data as IngestRecord;
      const added = countsOf(usageOwner(record), record.usage ?? {});
      return added.length === 0 ? undefined : { data: { ...record, usage: {} }, added };
    };
    await answered(this.#broker.changeAndCount(INGEST_QUEUE, id, change, this.#keptSeconds));
  }
}
