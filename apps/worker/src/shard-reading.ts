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
  /** Where it stands, without its bytes: these need not be kept. */
  line: LinePlace;
  /** Equal fingerprints mean that storing the document again would change nothing. */
  fingerprint: string;
  /** Equal contents mean that its vectors are the same; made when it is asked for, as of most documents it is not. */
  content: () => string;
  /** Of the submission that it comes from: the shard's, but of a copy. */
  sequence: number;
  /** Chunks of another version of it that is stored, as far as `sort` was told. */
  storedChunks: number;
}

/** A document that is stored as the shard has it. */
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
  /** As before, but the store has to confirm them: else an older job could still write over them. */
  contested: UnchangedDocument[];
  /** A later submission has decided them. */
  superseded: PendingDocument[];
}

/**
 * One shard's documents and what has become of each so far; made by `read`, ended by `settle`.
 * Invariant at the end: stored + skipped + deleted + failed + duplicates + superseded = documents.
 */
export class ShardReading {
  pending: PendingDocument[] = [];
  /** Of documents that are to be deleted. */
  readonly tombstones: Tombstone[] = [];
  /** Of each failed document, where on the walk it failed and why. */
  readonly failed: { stage: Stage; code: ErrorCode }[] = [];
  tokens = 0;
  /** Points whose dense vector was taken from the store. */
  reused = 0;
  /** Of a dry run: documents that are not there yet. */
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

  /** Reads the shard's lines: those that are no valid document, and those that come again later, are settled here. */
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

  /** What has to be done of each pending document, given what the store knows of it. */
  sort(known: readonly (FoundDocument | undefined)[]): SortedDocuments {
    const sorted: SortedDocuments = { wanted: [], unchanged: [], contested: [], superseded: [] };
    for (const [n, pending] of this.pending.entries()) {
      const { sequence } = pending;
      // A copy brings what others wrote, under sequences of theirs.
      const rival = this.#shard.purpose === 'copy' ? sequence : this.#shard.rival;
      const found = known[n];
      pending.storedChunks = found?.state === 'stored' ? found.chunkCount : 0;
      const isSame = found?.state === 'stored' && found.fingerprint === pending.fingerprint;
      if (isSame && (found.sequence === sequence || found.decided <= sequence)) {
        const { tenant, id } = pending.document;
        const { chunkCount, jobId, decided } = found;
        const version = { tenant, id, sequence: found.sequence };
        const unchanged = { pending, version, chunkCount, isOwn: jobId === this.#shard.job };
        // Of its own, an earlier attempt may have left something; of others', an older job may still write.
        const isContested = unchanged.isOwn || decided < rival;
        (isContested ? sorted.contested : sorted.unchanged).push(unchanged);
      } else if (found !== undefined && found.decided > sequence) sorted.superseded.push(pending);
      else sorted.wanted.push(pending);
    }
    return sorted;
  }

  /** What an earlier attempt at this very job stored counts as stored, not as skipped. */
  pass({ isOwn, chunkCount }: UnchangedDocument): void {
    if (isOwn) this.store(chunkCount);
    else this.skip();
  }

  /**
   * Each document as it is elsewhere, in the place of what the shard's line says of it; without the undefined ones, which
   * need nothing.
   */
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

  /** Leaves out the documents that a later submission has decided, by what is known of each pending one elsewhere. */
  yieldTo(known: readonly (FoundDocument | undefined)[]): void {
    this.pending = this.pending.filter(({ sequence }, n) => {
      if ((known[n]?.decided ?? 0) <= sequence) return true;
      this.supersede();
      return false;
    });
  }

  /** Takes over what failed in the collection's twin: a document is in both, or among the failures. */
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

  /** Counts a document that is not there any more, or never was. */
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

  /** Says something of a document that is stored all the same. */
  warn({ line, document }: PendingDocument, error: EmbedmillError): void {
    if (error.code === 'text_truncated') this.#truncated += 1;
    this.#warnings.push(reportOf(line, document.id, error));
  }

  /** Writes the shard's reports and gives its counts. */
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

/** What tells versions of a document apart in a collection. */
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

/** Without what vectors are not made of: id, tenant and metadata. */
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
  // What a document lacks is not named where documents of old did not have it: their fingerprints stay.
  const fields: unknown[] = [id, tenant, text, title, metadata, image, video];
  if (vector !== undefined) fields.push(vector);
  if (source !== undefined) fields.push({ source });
  if (structure !== undefined) fields.push({ structure });
  return hash('sha256', basis + JSON.stringify(fields), 'hex');
}
