import { hash } from 'node:crypto';
import {
  profileAsCreated,
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

/** A valid document of the shard that still has to be embedded. */
export interface PendingDocument {
  document: Document;
  line: Line;
  /** Equal fingerprints mean that storing the document again would change nothing. */
  fingerprint: string;
  /** Equal contents mean that its vectors are the same. */
  content: string;
  /** Whether another version of it is stored, as far as `sort` was told. */
  isStored: boolean;
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
  readonly pending: PendingDocument[] = [];
  /** Of documents that are to be deleted. */
  readonly tombstones: Tombstone[] = [];
  /** Of each failed document, where on the walk it failed and why. */
  readonly failed: { stage: Stage; code: ErrorCode }[] = [];
  tokens = 0;
  /** Points whose dense vector was taken from the store. */
  reused = 0;
  readonly #shard: Shard;
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

  private constructor(shard: Shard) {
    this.#shard = shard;
  }

  /** Reads the shard's lines: those that are no valid document, and those that come again later, are settled here. */
  static async read(spool: Spool, shard: Shard, modelRevision: string): Promise<ShardReading> {
    const reading = new ShardReading(shard);
    const { profile, analysis } = shard.collection;
    const basis = JSON.stringify([profileAsCreated(shard.collection), modelRevision]);
    const { model, dims, chunking, video, sparse } = profile;
    const contentBasis = JSON.stringify([model, dims, chunking, video, sparse, analysis, modelRevision]);
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
            const { line, document } = read;
            reading.pending.push({
              document,
              line,
              fingerprint: fingerprintOf(document, basis),
              content: contentOf(document, contentBasis),
              isStored: false,
            });
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
    const { sequence, rival } = this.#shard;
    for (const [n, pending] of this.pending.entries()) {
      const found = known[n];
      pending.isStored = found?.state === 'stored';
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

/** Without what vectors are not made of: id, tenant and metadata. */
function contentOf({ text, title, image, video, vector }: Document, basis: string): string {
  return hash('sha256', basis + JSON.stringify([text, title, image, video, vector]), 'base64url').slice(
    0,
    22,
  );
}

function fingerprintOf(document: Document, basis: string): string {
  const { id, tenant, text, image, video, title, metadata, vector } = document;
  // What a document lacks is not named where documents of old did not have it: their fingerprints stay.
  const fields = [id, tenant, text, title, metadata, image, video, ...(vector === undefined ? [] : [vector])];
  return hash('sha256', basis + JSON.stringify(fields), 'hex');
}
