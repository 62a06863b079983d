import { hash } from 'node:crypto';
import {
  profileAsCreated,
  type Collection,
  type Document,
  type DocumentReport,
  type EmbedmillError,
  type ErrorCode,
  type JobId,
  type Shard,
  type ShardResult,
  type Tombstone,
} from '@embedmill/jobs';
import type { Stage } from '@embedmill/metrics';
import { readShardLines, reportOf, type Line, type Spool } from '@embedmill/sources';
import type { DocumentVersion, FoundDocument } from '@embedmill/vector-store';

type LinePlace = Pick<Line, 'number' | 'offset' | 'length'>;

/** A valid document of the shard that still has to be embedded. */
export interface PendingDocument {
  document: Document;
  /** Its place in the source, without its bytes, which need not be kept. */
  line: LinePlace;
  /** Equal fingerprints mean that storing the document again would change nothing. */
  fingerprint: string;
  /** Equal contents mean equal vectors. Computed on demand, because most documents do not need it. */
  content: () => string;
  /** The sequence of its submission: the shard's, except for a copy. */
  sequence: number;
  /** The chunks of another stored version, as far as `sort` knows. */
  storedChunks: number;
}

/** A document that is already stored in the shard's version. */
export interface UnchangedDocument {
  pending: PendingDocument;
  version: DocumentVersion;
  chunkCount: number;
  /** Whether an earlier attempt at this very job stored it. */
  isOwn: boolean;
}

export interface SortedDocuments {
  /** To be embedded. */
  wanted: PendingDocument[];
  /** Nothing has to be done. */
  unchanged: UnchangedDocument[];
  /** Unchanged, but the store must confirm them; otherwise an older job could still overwrite them. */
  contested: UnchangedDocument[];
  /** A later submission has decided them. */
  superseded: PendingDocument[];
}

/**
 * One shard's documents with their outcomes so far; created by `read`, ended by `settle`. Invariant at the end: stored
 * + skipped + deleted + failed + duplicates + superseded = documents.
 */
export class ShardReading {
  pending: PendingDocument[] = [];
  /** The keys of documents to delete. */
  readonly tombstones: Tombstone[] = [];
  /** The stage and the reason of each failed document. */
  readonly failed: { stage: Stage; code: ErrorCode }[] = [];
  tokens = 0;
  /** The number of points whose dense vector was reused from the store. */
  reused = 0;
  /** For a dry run: documents that do not exist yet. */
  added = 0;
  readonly #shard: Shard;
  readonly #versionOf: ReturnType<typeof versionsOf>;
  readonly #failures: DocumentReport[] = [];
  readonly #warnings: DocumentReport[] = [];
  #documents = 0;
  #stored = 0;
  #skipped = 0;
  #duplicates = 0;
  #superseded = 0;
  #deleted = 0;
  #truncated = 0;
  #chunks = 0;

  private constructor(shard: Shard, modelRevision: string) {
    this.#shard = shard;
    this.#versionOf = versionsOf(shard.collection, modelRevision);
  }

  /** Reads the shard's lines. Invalid ones, and those repeated later, are settled here. */
  static async read(spool: Spool, shard: Shard, modelRevision: string): Promise<ShardReading> {
    const reading = new ShardReading(shard, modelRevision);
    for await (const group of readShardLines(spool, shard)) {
      for (const read of group) {
        reading.#documents += 1;
        switch (read.kind) {
          case 'invalid':
            reading.#fail(read.report, 'read');
            break;
          case 'duplicate':
            reading.#duplicates += 1;
            reading.#warnings.push(read.report);
            break;
          case 'tombstone':
            reading.tombstones.push(read.tombstone);
            break;
          case 'document': {
            const { document } = read;
            const { number, offset, length } = read.line;
            const line = { number, offset, length };
            const { fingerprint, content } = reading.#versionOf(document);
            const { sequence } = shard;
            reading.pending.push({ document, line, fingerprint, content, sequence, storedChunks: 0 });
            break;
          }
        }
      }
    }
    return reading;
  }

  /** Determines what to do with each pending document, given its state in the store. */
  sort(known: readonly (FoundDocument | undefined)[]): SortedDocuments {
    const sorted: SortedDocuments = { wanted: [], unchanged: [], contested: [], superseded: [] };
    for (const [n, pending] of this.pending.entries()) {
      const { sequence } = pending;
      // A copy writes others' documents under their original sequences.
      const rival = this.#shard.purpose === 'copy' ? sequence : this.#shard.rival;
      const found = known[n];
      pending.storedChunks = found?.state === 'stored' ? found.chunkCount : 0;
      const isSame = found?.state === 'stored' && found.fingerprint === pending.fingerprint;
      if (isSame && (found.sequence === sequence || found.decided <= sequence)) {
        const { tenant, id } = pending.document;
        const { chunkCount, jobId, decided } = found;
        const version = { tenant, id, sequence: found.sequence };
        const unchanged = { pending, version, chunkCount, isOwn: jobId === this.#shard.job };
        // For its own sequence, an earlier attempt may have left something; for others, an older job may still write.
        const isContested = unchanged.isOwn || decided < rival;
        (isContested ? sorted.contested : sorted.unchanged).push(unchanged);
      } else if (found !== undefined && found.decided > sequence) sorted.superseded.push(pending);
      else sorted.wanted.push(pending);
    }
    return sorted;
  }

  /** Documents stored by an earlier attempt at this very job count as stored, not as skipped. */
  pass({ isOwn, chunkCount }: UnchangedDocument): void {
    if (isOwn) this.store(chunkCount);
    else this.skip();
  }

  /** Replaces each document by its version elsewhere; undefined ones are dropped, because they need nothing. */
  replaceBy(
    originals: readonly (
      { document: Document; sequence: number; warning: EmbedmillError | undefined } | undefined
    )[],
  ): void {
    this.pending = this.pending.flatMap((pending, n) => {
      const original = originals[n];
      if (original === undefined) {
        this.skip();
        return [];
      }
      const { document, sequence, warning } = original;
      if (warning !== undefined) this.warn(pending, warning);
      return { ...pending, document, sequence, ...this.#versionOf(document) };
    });
  }

  /** Drops the documents that a later submission has decided, by their states elsewhere. */
  yieldTo(known: readonly (FoundDocument | undefined)[]): void {
    this.pending = this.pending.filter(({ sequence }, n) => {
      if ((known[n]?.decided ?? 0) <= sequence) return true;
      this.supersede();
      return false;
    });
  }

  /** Takes over failures from the collection's twin: a document is in both, or among the failures. */
  adopt(twin: ShardReading): void {
    this.tokens += twin.tokens;
    const failed = new Map(twin.#failures.map((report, n) => [report.line, { report, at: twin.failed[n] }]));
    this.pending = this.pending.filter(({ line }) => {
      const found = failed.get(line.number);
      if (found === undefined) return true;
      this.#fail(found.report, found.at?.stage ?? 'upsert');
      return false;
    });
  }

  /** Counts a document that a later submission has decided. */
  supersede(): void {
    this.#superseded += 1;
  }

  /** Counts a document that no longer exists, or never did. */
  delete(): void {
    this.#deleted += 1;
  }

  store(chunks: number): void {
    this.#stored += 1;
    this.#chunks += chunks;
  }

  /** Counts a document that needs nothing more. */
  skip(): void {
    this.#skipped += 1;
  }

  fail({ line, document }: PendingDocument, error: EmbedmillError, stage: Stage): void {
    this.#fail(reportOf(line, document.id, error), stage);
  }

  /** Adds a warning on a document that is stored nevertheless. */
  warn({ line, document }: PendingDocument, error: EmbedmillError): void {
    if (error.code === 'text_truncated') this.#truncated += 1;
    this.#warnings.push(reportOf(line, document.id, error));
  }

  /** Writes the shard's reports, and returns its counts. */
  async settle(spool: Spool): Promise<ShardResult> {
    const job = this.#shard.job as JobId;
    const byLine = (a: DocumentReport, b: DocumentReport) => a.line - b.line;
    const reports = { failures: this.#failures.sort(byLine), warnings: this.#warnings.sort(byLine) };
    const { index, reportRoom } = this.#shard;
    const reported = await spool.settleReports(job, index, reports, reportRoom);
    return {
      index,
      documents: this.#documents,
      stored: this.#stored,
      skipped: this.#skipped,
      failed: this.#failures.length,
      duplicates: this.#duplicates,
      superseded: this.#superseded,
      deleted: this.#deleted,
      added: this.added,
      reused: this.reused,
      truncated: this.#truncated,
      chunks: this.#chunks,
      tokens: this.tokens,
      reported,
    };
  }

  #fail(report: DocumentReport, stage: Stage): void {
    this.#failures.push(report);
    this.failed.push({ stage, code: report.code });
  }
}

/** The fingerprint that distinguishes versions of a document in a collection. */
function versionsOf(
  collection: Collection,
  modelRevision: string,
): (document: Document) => Pick<PendingDocument, 'fingerprint' | 'content'> {
  const basis = JSON.stringify([profileAsCreated(collection), modelRevision]);
  const contentOf = contentIn(collection, modelRevision);
  return (document) => {
    let content: string | undefined;
    return {
      fingerprint: fingerprintOf(document, basis),
      content: () => (content ??= contentOf(document)),
    };
  };
}

/** Without the fields that do not affect vectors: id, tenant and metadata. */
export function contentIn(
  { profile, analysis }: Collection,
  modelRevision: string,
): (document: Document) => string {
  const { model, dims, chunking, video, sparse, lateInteraction } = profile;
  const parts: unknown[] = [model, dims, chunking, video, sparse, analysis, modelRevision];
  if (lateInteraction !== undefined) parts.push({ lateInteraction });
  const basis = JSON.stringify(parts);
  return ({ text, title, image, video, vector, structure }) => {
    const fields: unknown[] = [text, title, image, video, vector];
    if (structure !== undefined) fields.push({ structure });
    return hash('sha256', basis + JSON.stringify(fields), 'base64url').slice(0, 22);
  };
}

function fingerprintOf(document: Document, basis: string): string {
  const { id, tenant, text, image, video, title, metadata, vector, source, structure } = document;
  // Newer fields are omitted if the document lacks them, so that fingerprints of older documents stay valid.
  const fields: unknown[] = [id, tenant, text, title, metadata, image, video];
  if (vector !== undefined) fields.push(vector);
  if (source !== undefined) fields.push({ source });
  if (structure !== undefined) fields.push({ structure });
  return hash('sha256', basis + JSON.stringify(fields), 'hex');
}
