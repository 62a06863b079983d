import {
  sectionAt,
  sectionSequence,
  shardReportRoom,
  type Priority,
  type ReportRoom,
  type Shard,
  type ShardRange,
  type SourceRef,
} from '@embedmill/jobs';
import {
  ADDED_AT_ONCE,
  areAllSettled,
  isSettled,
  scannedSections,
  shardTokens,
  shareOf,
  type IngestHandle,
  type WaitingJob,
} from '@embedmill/queue';
import { readManifest, type ManifestPlace, type Spool } from '@embedmill/sources';

interface Ahead {
  index: number;
  range: ShardRange;
  next: ManifestPlace;
}

/** Shards that are first read from the manifest; more if a turn has taken all of them. */
const READ_AHEAD = 16;
/** Shards that are taken during a step and added after it, so that a job with frequent steps does not fall behind. */
const MOST_WHILE_BUSY = 8;

/**
 * The shards of a running job that are not on the queue yet. Some are read ahead from the manifest, so that queue room can
 * be allocated by their sizes; taken shards are added to the queue, and the cursor moves on.
 *
 * The manifest is not kept open, so a job that waits for room holds no file and no connection.
 */
export class JobShards implements WaitingJob {
  readonly #handle: IngestHandle;
  readonly #source: SourceRef;
  readonly #spool: Spool;
  readonly #most: number;
  readonly #reports: ReportRoom;
  readonly #ahead: Ahead[] = [];
  readonly #taken: Ahead[] = [];
  #readAhead = READ_AHEAD;
  /** Where reading continues; undefined at the manifest's end. */
  #position: ({ index: number } & ManifestPlace) | undefined;
  /** Of the section of the latest shard, and the first of its shards seen here. */
  #rival: { sequence: number; first: number; rival: number; isFinal: boolean } | undefined;

  /** Whether a step of the job is running, and what was outstanding at the last check. */
  isBusy = false;
  outstanding = 0;

  constructor(
    handle: IngestHandle,
    source: SourceRef,
    { spool, mostShards, reports }: { spool: Spool; mostShards: number; reports: ReportRoom },
  ) {
    this.#handle = handle;
    this.#source = source;
    this.#spool = spool;
    this.#most = mostShards;
    this.#reports = reports;
    this.#position = placeOf(handle.record.cursor);
  }

  get id(): string {
    return this.#handle.id;
  }

  get share(): string {
    return shareOf(this.#handle.record);
  }

  get priority(): Priority {
    return this.#handle.record.priority ?? 'normal';
  }

  get ready(): number {
    const most = this.isBusy ? MOST_WHILE_BUSY : Infinity;
    const room = Math.min(most, this.#most - this.outstanding) - this.#taken.length;
    return Math.max(0, Math.min(this.#ahead.length, room));
  }

  get size(): number {
    return shardTokens(this.#handle.record, this.#ahead[0]?.range.length ?? 0);
  }

  /** Whether all shards have been added. */
  get areAllAdded(): boolean {
    return this.#position === undefined && this.#ahead.length === 0 && this.#taken.length === 0;
  }

  get taken(): number {
    return this.#taken.length;
  }

  take(): void {
    const next = this.#ahead.shift();
    if (next !== undefined) this.#taken.push(next);
  }

  /** Adds the taken shards to the queue and moves the record's cursor, which the caller saves. */
  async add(): Promise<void> {
    for (let next = this.#taken[0]; next !== undefined; next = this.#taken[0]) {
      const { index, range, next: place } = next;
      await this.#handle.addShard(await this.#shardOf(index, range));
      this.#taken.shift();
      this.outstanding += 1;
      const { section, offset } = place;
      const bytes = range.offset + range.length;
      const cursor = { index: index + 1, offset, bytes, ...(section > 0 && { section }) };
      this.#handle.record = { ...this.#handle.record, cursor };
    }
  }

  /** Reads ahead, so that there are shards to take. Counted shards are skipped. */
  async readAhead(): Promise<void> {
    if (this.#position === undefined || this.#ahead.length > this.#readAhead / 2) return;
    if (this.#ahead.length === 0) this.#readAhead = Math.min(ADDED_AT_ONCE, 2 * this.#readAhead);
    let { index } = this.#position;
    const { record } = this.#handle;
    const sections = scannedSections(record);
    for await (const { range, next } of readManifest(this.#spool, record.id, {
      ...this.#position,
      sections,
    })) {
      if (!isSettled(record.settled, index)) this.#ahead.push({ index, range, next });
      index += 1;
      this.#position = { index, ...next };
      if (this.#ahead.length >= this.#readAhead) return;
    }
    this.#position = record.unscanned === undefined ? undefined : { index, section: sections, offset: 0 };
  }

  /** Adds no more. */
  end(): void {
    this.#position = undefined;
    this.#ahead.length = 0;
    this.#taken.length = 0;
  }

  /** Starts over for shards that the queue lost; counted shards are skipped. */
  restart(): void {
    this.end();
    const cursor = { index: 0, offset: 0, bytes: 0 };
    this.#handle.record = { ...this.#handle.record, cursor };
    this.#position = placeOf(cursor);
  }

  async #shardOf(index: number, range: ShardRange): Promise<Shard> {
    const sequence = sectionSequence(
      this.#handle.record,
      sectionAt(this.#handle.record.sections, range.offset),
    );
    const { purpose, collection, tenant, mode, sourceName, metadataBytes } = this.#handle.record;
    const { sequenced } = this.#handle.record;
    const { sink, batch, dataset, reported } = this.#handle.record;
    return {
      job: this.#handle.id,
      index,
      sequence,
      rival: await this.#rivalOf(index, sequence),
      purpose,
      collection,
      tenant,
      mode,
      sourceName,
      sequenced,
      metadataBytes,
      sink,
      batch,
      dataset,
      reportRoom: shardReportRoom(this.#reports, reported),
      source: this.#source,
      range,
    };
  }

  /**
   * The greatest sequence that may still be written below that of a shard. Sections before the shard's are rivals, too,
   * until all their documents are stored.
   */
  async #rivalOf(index: number, sequence: number): Promise<number> {
    const { record } = this.#handle;
    const known = this.#rival?.sequence === sequence ? this.#rival : undefined;
    if (known?.isFinal === true) return known.rival;
    const first = known?.first ?? index;
    const isAlone = record.progress.failed === 0 && areAllSettled(record.settled, first);
    const rival = await this.#handle.rival(isAlone ? record.sequence : sequence);
    this.#rival = { sequence, first, rival, isFinal: isAlone || sequence === record.sequence };
    return rival;
  }
}

/** In the manifest, of a record's cursor. */
function placeOf({ index, offset, section = 0 }: IngestHandle['record']['cursor']): {
  index: number;
} & ManifestPlace {
  return { index, section, offset };
}
