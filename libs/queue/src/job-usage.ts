import { dayOf, type DailyUsage, type JobId } from '@embedmill/jobs';
import { workLeft } from './backlog.ts';
import type { Broker } from './broker.ts';
import { answered } from './connection.ts';
import type { IngestRecord } from './ingest-record.ts';
import type { JobList } from './job-list.ts';
import { INGEST_QUEUE } from './names.ts';
import { SharedRead } from './shared-read.ts';
import {
  amountsOf,
  countsOf,
  usageCounts,
  usageOwner,
  UsageSum,
  type UsageEntry,
  type UsageOf,
} from './usage.ts';

const DAY_MS = 24 * 3600 * 1000;

/** The usage of known jobs and of everything else. A job's usage is in its record until the job is removed. */
export class JobUsage {
  readonly #broker: Broker;
  readonly #list: JobList;
  /** Reads all jobs, so concurrent callers share one read. */
  readonly #ofJobs = new SharedRead(() => this.#readJobs());
  readonly #ofUnended = new SharedRead(() => this.#readAhead());
  readonly #keptSeconds: number;

  constructor(broker: Broker, list: JobList, keptSeconds: number) {
    this.#broker = broker;
    this.#list = list;
    this.#keptSeconds = keptSeconds;
  }

  /**
   * The usage in a range of days (UTC, inclusive), including running jobs. Known jobs have their own records; the usage
   * of removed jobs and of queries is in the broker's counts.
   */
  async between(from: string, to: string): Promise<UsageEntry[]> {
    const days: string[] = [];
    for (let day = from; day <= to; day = dayOf(Date.parse(day) + DAY_MS)) days.push(day);
    const sum = new UsageSum();
    // In this order, a job that is removed meanwhile may be missed once, but is never counted twice.
    const counts = await answered(this.#broker.readCounts(days.map(usageCounts)));
    for (const [n, day] of days.entries()) sum.addCounts(day, counts[n] ?? {});
    for (const { owner, usage } of await this.#ofJobs.ask())
      for (const [day, amounts] of Object.entries(usage))
        if (day >= from && day <= to) sum.add(owner, day, amounts);
    return sum.entries;
  }

  async #readJobs(): Promise<{ owner: UsageOf; usage: DailyUsage }[]> {
    const used: { owner: UsageOf; usage: DailyUsage }[] = [];
    for await (const { record } of this.#list.all())
      if (record.usage !== undefined) used.push({ owner: usageOwner(record), usage: record.usage });
    return used;
  }

  /** The estimated remaining work of accepted jobs, as usage of today. */
  ahead(): Promise<UsageEntry[]> {
    return this.#ofUnended.ask();
  }

  async #readAhead(): Promise<UsageEntry[]> {
    const sum = new UsageSum();
    const day = dayOf(Date.now());
    for await (const { record } of this.#list.unended()) {
      const { documents, tokens } = workLeft(record);
      const unscanned = record.source.kind === 'inline' && record.progress.documents === 0;
      const lines = unscanned && record.source.kind === 'inline' ? record.source.lines.length : 0;
      if (tokens > 0) sum.add(usageOwner(record), day, { documents: documents + lines, tokens, engineMs: 0 });
    }
    return sum.entries;
  }

  /** Counts usage that does not belong to a job. */
  async count(entries: readonly UsageEntry[]): Promise<void> {
    const added = entries.flatMap((entry) => countsOf(entry, { [entry.day]: amountsOf(entry) }));
    await answered(this.#broker.addCounts(added, this.#keptSeconds));
  }

  /** Moves a job's usage to the broker's counts, exactly once even if a process dies in between. */
  async keep(id: JobId): Promise<void> {
    const change = (data: unknown) => {
      const record = data as IngestRecord;
      const added = countsOf(usageOwner(record), record.usage ?? {});
      return added.length === 0 ? undefined : { data: { ...record, usage: {} }, added };
    };
    await answered(this.#broker.changeAndCount(INGEST_QUEUE, id, change, this.#keptSeconds));
  }
}
