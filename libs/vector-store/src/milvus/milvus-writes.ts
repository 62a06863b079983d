import { pointId, type CollectionName, type PointId } from '@embedmill/jobs';
import { groups } from '../groups.ts';
import { decidedBy, type ConditionalPoints, type Head, type Seen } from '../ordered-writes.ts';
import type { DocumentKey, Point } from '../store.ts';

/** The number of documents per request. */
const DOCUMENTS_AT_ONCE = 500;

/** A row of a document's chunk 0, written by one submission. */
export interface HeadRow {
  document: PointId;
  sequence: number;
  chunkCount: number;
  fingerprint: string;
}

/** A document's additional state, besides its points. */
export interface Mark {
  document: PointId;
  /**
   * A deletion with this sequence, or a document being written; or a confirmation that the version written under
   * `written` was found unchanged.
   */
  kind: 'tombstone' | 'confirmation';
  sequence: number;
  /** 0 for a tombstone. */
  written: number;
}

/** A range of sequences. */
export type Which = 'exactly' | 'below';

/** The requests for these writes in one collection. Each adds rows or removes named ones; none overwrites. */
export interface RowRequests {
  upsert(points: readonly Point[]): Promise<void>;
  heads(documents: PointId[]): Promise<HeadRow[]>;
  /** Those of these points that exist, in any version. */
  there(points: PointId[]): Promise<Set<PointId>>;
  /** The chunks of these documents from one index to another (exclusive) with sequences in this range. */
  remove(documents: PointId[], from: number, to: number, which: Which, sequence: number): Promise<void>;
  marks(documents: PointId[]): Promise<Mark[]>;
  mark(marks: Mark[]): Promise<void>;
  unmark(documents: PointId[], kind: Mark['kind'] | undefined, which: Which, sequence: number): Promise<void>;
  /** Rejects with `collection_not_found` if the collection was created again since the writer read it. */
  assertCurrent(): Promise<void>;
}

/**
 * Writes in the order of sequences, in a store without conditional writes. Writers never overwrite one another: the key
 * of a row, and that of a mark, contains the sequence of its submission. A document is decided by the head or mark with
 * the greatest sequence, which does not depend on when it was written. Each writer first writes its own rows and then
 * reads the others': of two racing writers, at least one sees the other.
 *
 * Removal is by sequence, so it never removes newer rows. The chunks after the head are removed first: as long as older
 * rows remain, their head or a mark shows it.
 */
export class MilvusWrites implements ConditionalPoints {
  readonly #name: CollectionName;
  readonly #requests: RowRequests;

  constructor(name: CollectionName, requests: RowRequests) {
    this.#name = name;
    this.#requests = requests;
  }

  async bury(
    documents: readonly (DocumentKey & { fingerprint?: string | undefined })[],
    sequence: number,
  ): Promise<void> {
    const heads = await this.#heads(documents);
    const buried = documents.flatMap((document) => {
      const id = this.#headOf(document);
      const versions = heads.get(id);
      const own = versions?.rows.find((row) => row.sequence === sequence);
      const isSame = own !== undefined && own.fingerprint === document.fingerprint;
      const isOvertaken = versions?.head !== undefined && decidedBy(versions.head) > sequence;
      return isSame || isOvertaken ? [] : { id, isRewritten: own !== undefined };
    });
    if (buried.length === 0) return;
    await this.#requests.mark(
      buried.map(({ id }) => ({ document: id, kind: 'tombstone', sequence, written: 0 })),
    );
    const rewritten = buried.flatMap(({ id, isRewritten }) => (isRewritten ? id : []));
    if (rewritten.length > 0) await this.#requests.remove(rewritten, 0, 1, 'exactly', sequence);
  }

  async write(points: readonly Point[], sequence: number): Promise<void> {
    if (points.length === 0) return;
    const keys = [
      ...new Map(points.map(({ payload }) => [this.#headIdOf(payload), keyIn(payload)])).values(),
    ];
    const heads = await this.#heads(keys);
    const free = points.filter(({ payload }) => {
      const head = heads.get(this.#headIdOf(payload))?.head;
      return head === undefined || decidedBy(head) <= sequence;
    });
    await this.#requests.upsert(free);
    // A document that was buried in order to be written is complete with its head.
    const whole = free.filter(({ payload }) => payload.chunk_index === 0 && payload.chunk_count > 1);
    if (whole.length > 0) {
      const ids = whole.map(({ payload }) => this.#headIdOf(payload));
      for (const some of groups(ids, DOCUMENTS_AT_ONCE))
        await this.#requests.unmark(some, 'tombstone', 'exactly', sequence);
    }
  }

  async confirm(documents: readonly DocumentKey[], written: number, sequence: number): Promise<void> {
    const before = await this.#heads(documents);
    const ids = documents
      .map((document) => this.#headOf(document))
      .filter((id) => {
        const head = before.get(id)?.head;
        return (
          head !== undefined && head.chunkCount > 0 && head.sequence === written && head.confirmed < sequence
        );
      });
    if (ids.length === 0) return;
    await this.#requests.mark(ids.map((id) => ({ document: id, kind: 'confirmation', sequence, written })));
    // A writer or deletion with a sequence in between either sees the mark, or is seen here.
    const after = await this.#heads(documents);
    const isLost = (id: PointId) => after.get(id)?.greatest !== written;
    const lost = ids.filter(isLost);
    if (lost.length > 0) await this.#requests.unmark(lost, 'confirmation', 'exactly', sequence);
    const kept = ids.filter((id) => !isLost(id));
    if (kept.length > 0) await this.#requests.unmark(kept, 'confirmation', 'below', sequence);
  }

  async look(documents: readonly (DocumentKey & { beyond?: number | undefined })[]): Promise<Seen[]> {
    const wanted = documents.map((document) => ({
      id: this.#headOf(document),
      beyond:
        document.beyond === undefined
          ? undefined
          : pointId(document.tenant, this.#name, document.id, document.beyond),
    }));
    const [heads, there] = await Promise.all([
      this.#heads(documents),
      this.#there(wanted.flatMap(({ beyond }) => beyond ?? [])),
      this.#requests.assertCurrent(),
    ]);
    return wanted.map(({ id, beyond }) => {
      const versions = heads.get(id);
      const isLeft = versions?.isOlderLeft === true || (beyond !== undefined && there.has(beyond));
      return { head: versions?.head, beyond: beyond !== undefined && isLeft };
    });
  }

  async remove(
    documents: readonly DocumentKey[],
    from: number,
    sequence: number,
    which: 'exactly' | 'upTo',
  ): Promise<void> {
    for (const some of groups(documents, DOCUMENTS_AT_ONCE)) {
      const ids = some.map((document) => this.#headOf(document));
      if (which === 'exactly') {
        await this.#requests.remove(ids, from, Infinity, 'exactly', sequence);
        const heads = await this.#heads(some);
        // A head that decides is not overtaken but confirmed.
        const overtaken = ids.filter((id) => heads.get(id)?.head?.sequence !== sequence);
        if (overtaken.length === 0) continue;
        await this.#requests.remove(overtaken, 0, 1, 'exactly', sequence);
        await this.#requests.unmark(overtaken, 'tombstone', 'exactly', sequence);
      } else {
        await this.#requests.remove(ids, Math.max(1, from), Infinity, 'exactly', sequence);
        await this.#requests.remove(ids, 1, Infinity, 'below', sequence);
        await this.#requests.remove(ids, 0, 1, 'below', sequence);
        await this.#requests.unmark(ids, undefined, 'below', sequence);
      }
    }
  }

  async #heads(documents: readonly DocumentKey[]): Promise<Map<PointId, Versions>> {
    const ids = [...new Set(documents.map((document) => this.#headOf(document)))];
    const found = new Map<PointId, Versions>();
    for (const some of groups(ids, DOCUMENTS_AT_ONCE)) {
      const [rows, marks] = await Promise.all([this.#requests.heads(some), this.#requests.marks(some)]);
      for (const [id, versions] of versionsOf(rows, marks)) found.set(id, versions);
    }
    return found;
  }

  async #there(points: PointId[]): Promise<Set<PointId>> {
    const there = new Set<PointId>();
    for (const some of groups(points, DOCUMENTS_AT_ONCE))
      for (const id of await this.#requests.there(some)) there.add(id);
    return there;
  }

  #headOf({ tenant, id }: DocumentKey): PointId {
    return pointId(tenant, this.#name, id, 0);
  }

  #headIdOf(payload: Point['payload']): PointId {
    return this.#headOf(keyIn(payload));
  }
}

/** The state of one document's head. */
export interface Versions {
  /** The entry that decides it. */
  head: Head | undefined;
  rows: HeadRow[];
  /** The greatest sequence that has written or deleted it. */
  greatest: number;
  /** Whether there are older entries than the deciding one. */
  isOlderLeft: boolean;
}

/** The deciding entry of each document; for equal sequences, a head takes precedence over a tombstone. */
export function versionsOf(rows: readonly HeadRow[], marks: readonly Mark[]): Map<PointId, Versions> {
  const rowsBy = Map.groupBy(rows, (row) => row.document);
  const marksBy = Map.groupBy(marks, (mark) => mark.document);
  const versions = new Map<PointId, Versions>();
  for (const id of new Set([...rowsBy.keys(), ...marksBy.keys()])) {
    const own = rowsBy.get(id) ?? [];
    const its = marksBy.get(id) ?? [];
    const heads = own.map(({ sequence, chunkCount, fingerprint }): Head => {
      const confirmed = its
        .filter(({ kind, written }) => kind === 'confirmation' && written === sequence)
        .reduce((greatest, mark) => Math.max(greatest, mark.sequence), 0);
      return { sequence, chunkCount, fingerprint, confirmed };
    });
    const tombstones = its
      .filter(({ kind }) => kind === 'tombstone')
      .map(({ sequence }): Head => ({ sequence, chunkCount: 0, fingerprint: undefined, confirmed: 0 }));
    const all = [...heads, ...tombstones];
    const head = all.reduce<Head | undefined>(
      (best, one) => (best === undefined || decidedBy(one) > decidedBy(best) ? one : best),
      undefined,
    );
    versions.set(id, {
      head,
      rows: own,
      greatest: all.reduce((greatest, one) => Math.max(greatest, one.sequence), 0),
      isOlderLeft:
        head !== undefined &&
        (own.some(({ sequence }) => sequence < head.sequence) ||
          its.some(({ sequence }) => sequence < head.sequence)),
    });
  }
  return versions;
}

const keyIn = ({ tenant, document_id: id }: Point['payload']): DocumentKey => ({ tenant, id });
