import type { Point, DocumentKey, DocumentPoints, DocumentVersion } from './store.ts';

/**
 * Writes whole documents in the order of their sequences, in a store that many processes write to and that is atomic
 * only per point, so a document cannot be locked while it is written.
 *
 * The order is kept on the _head_, a document's chunk 0. It has the sequence of its writer, and possibly that of a
 * submission that found it unchanged and `confirmed` it. The greater of the two has _decided_ the document. A head is
 * only replaced by one whose sequence is not smaller than the deciding one, so the deciding sequence only grows, and a
 * writer that sees a greater one than its own knows that it has been permanently _overtaken_. A head without chunks is
 * a tombstone: of a deletion, or of a document that is being written.
 *
 * 1. A document with several chunks is buried first: its head becomes a tombstone with the writer's sequence. From now
 *    on nobody sees it as complete, and no older writer can complete it. A writer that is already overtaken at this
 *    point has changed nothing.
 * 2. Its chunks from 1 on are written unless one with a greater sequence exists. An older writer that comes later, or
 *    was already writing, may add its own chunks where this document has none.
 * 3. The head is written, which completes the document. A document with a single chunk, the usual case, begins with
 *    this step, and is never missing while it is replaced.
 * 4. The heads are read. A writer that finds itself overtaken removes its own chunks, with exactly its sequence.
 *    Otherwise it removes all chunks beyond its last one with its own or smaller sequences: their writers are done, or
 *    will find themselves overtaken.
 *
 * A deletion buries, reads, and removes in the same way. Steps are idempotent, and a writer may die between any two:
 * when its shard runs again, it finishes, or finds itself overtaken and removes what it had written
 * (`removeOvertaken`). A document that it had completed is confirmed under its own sequence, which removes the chunks
 * beyond.
 */
export interface ConditionalPoints {
  /**
   * Turns these documents' heads into tombstones, also missing ones, unless a greater sequence has decided, or the head
   * already is this complete document with this sequence.
   */
  bury(
    documents: readonly (DocumentKey & { fingerprint?: string | undefined })[],
    sequence: number,
  ): Promise<void>;
  /** Writes missing points, and overwrites those that no greater sequence has decided. */
  write(points: readonly Point[], sequence: number): Promise<void>;
  /** Confirms heads that still have the sequence `written`, unless a greater sequence than this one has decided. */
  confirm(documents: readonly DocumentKey[], written: number, sequence: number): Promise<void>;
  /** Each document's head, and whether there is a point at chunk `beyond`. */
  look(documents: readonly (DocumentKey & { beyond?: number | undefined })[]): Promise<Seen[]>;
  /** Removes the documents' chunks from this index on that have exactly this sequence, or at most this one. */
  remove(
    documents: readonly DocumentKey[],
    from: number,
    sequence: number,
    which: 'exactly' | 'upTo',
  ): Promise<void>;
}

export interface Head {
  /** 0 for a tombstone. */
  chunkCount: number;
  fingerprint: string | undefined;
  /** The sequence of its writer. */
  sequence: number;
  /** 0 if nobody has. */
  confirmed: number;
}

export interface Seen {
  head: Head | undefined;
  beyond: boolean;
}

export function decidedBy({ sequence, confirmed }: Pick<Head, 'sequence' | 'confirmed'>): number {
  return Math.max(sequence, confirmed);
}

/** @returns the documents that were overtaken, like all of these methods */
export async function replaceInOrder(
  points: ConditionalPoints,
  documents: readonly DocumentPoints[],
): Promise<DocumentKey[]> {
  const overtaken: DocumentKey[] = [];
  for (const [sequence, some] of Map.groupBy(documents, (document) => document.sequence)) {
    overtaken.push(...(await replaceAlike(points, some, sequence)));
  }
  return overtaken;
}

async function replaceAlike(
  points: ConditionalPoints,
  documents: readonly DocumentPoints[],
  sequence: number,
): Promise<DocumentKey[]> {
  const overtaken = new Map<DocumentPoints, Head>();
  /** The documents that an earlier attempt has already written completely. */
  const ended = new Set<DocumentPoints>();
  const several = documents.filter((document) => document.points.length !== 1);
  if (several.length > 0) {
    await points.bury(several.map(buried), sequence);
    const seen = await points.look(several);
    for (const [n, document] of several.entries()) {
      const head = seen[n]?.head;
      const by = overtakenBy(head, sequence, fingerprintOf(document));
      if (by !== undefined) overtaken.set(document, by);
      else if (head !== undefined && head.chunkCount > 0) ended.add(document);
    }
    const open = several.filter((document) => !overtaken.has(document) && !ended.has(document));
    await points.write(chunksOf(open, isRest), sequence);
  }
  const left = documents.filter((document) => !overtaken.has(document));
  const whole = left.filter((document) => !ended.has(document));
  await points.write(chunksOf(whole, isHead), sequence);
  const seen = await points.look(
    left.map(({ tenant, id, points: own }) => ({ tenant, id, beyond: endOf(own) })),
  );
  const surplus: DocumentPoints[] = [];
  for (const [n, document] of left.entries()) {
    const by = overtakenBy(seen[n]?.head, sequence, fingerprintOf(document));
    if (by !== undefined) overtaken.set(document, by);
    else if (seen[n]?.beyond === true) surplus.push(document);
  }
  for (const [from, some] of Map.groupBy(surplus, ({ points: own }) => endOf(own))) {
    await points.remove(some, from, sequence, 'upTo');
  }
  const own = [...overtaken].flatMap(([document, head]) => (head.sequence === sequence ? [] : document));
  if (own.length > 0) await points.remove(own, 1, sequence, 'exactly');
  return [...overtaken.keys()].map(keyOf);
}

export async function deleteInOrder(
  points: ConditionalPoints,
  documents: readonly DocumentKey[],
  sequence: number,
): Promise<DocumentKey[]> {
  await points.bury(documents, sequence);
  const seen = await points.look(documents);
  const overtaken = documents.filter((_, n) => overtakenBy(seen[n]?.head, sequence) !== undefined);
  const deleted = documents.filter((_, n) => overtakenBy(seen[n]?.head, sequence) === undefined);
  if (deleted.length > 0) await points.remove(deleted, 1, sequence, 'upTo');
  return overtaken.map(keyOf);
}

/** @returns the documents that no longer have these versions */
export async function confirmInOrder(
  points: ConditionalPoints,
  versions: readonly DocumentVersion[],
  sequence: number,
): Promise<DocumentKey[]> {
  for (const [written, some] of Map.groupBy(versions, (version) => version.sequence)) {
    if (written < sequence) await points.confirm(some, written, sequence);
  }
  const seen = await points.look(versions);
  const isKept = (version: DocumentVersion, head: Head | undefined): head is Head =>
    head !== undefined && head.chunkCount > 0 && head.sequence === version.sequence;
  const own = versions.flatMap((version, n) => {
    const head = seen[n]?.head;
    return version.sequence === sequence && isKept(version, head)
      ? { ...version, from: head.chunkCount }
      : [];
  });
  for (const [from, some] of Map.groupBy(own, (version) => version.from)) {
    await points.remove(some, from, sequence, 'upTo');
  }
  return versions.filter((version, n) => !isKept(version, seen[n]?.head)).map(keyOf);
}

/**
 * The head that a greater sequence has decided, if any; not if that sequence confirmed this very document, which then
 * remains and has not been overtaken.
 */
function overtakenBy(head: Head | undefined, sequence: number, fingerprint?: string): Head | undefined {
  if (head === undefined || decidedBy(head) <= sequence) return undefined;
  return head.sequence === sequence && head.fingerprint === fingerprint ? undefined : head;
}

function buried(document: DocumentPoints) {
  return { tenant: document.tenant, id: document.id, fingerprint: fingerprintOf(document) };
}

function fingerprintOf({ points: [first] }: DocumentPoints): string | undefined {
  return first?.payload.fingerprint;
}

/** The index after its last chunk; a head always exists. */
function endOf(points: readonly Point[]): number {
  return Math.max(1, points.length);
}

function chunksOf(documents: readonly DocumentPoints[], of: (point: Point) => boolean): Point[] {
  return documents.flatMap(({ points }) => points.filter(of));
}

const keyOf = ({ tenant, id }: DocumentKey): DocumentKey => ({ tenant, id });
const isHead = ({ payload }: Point): boolean => payload.chunk_index === 0;
const isRest = ({ payload }: Point): boolean => payload.chunk_index > 0;
