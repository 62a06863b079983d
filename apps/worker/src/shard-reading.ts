import { hash } from 'node:crypto';
import {
  type Document,
  type DocumentReport,
  type EmbedmillError,
  type ErrorCode,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import type { Stage } from '@embedmill/metrics';
import { readShardLines, reportOf, type Line, type Spool } from '@embedmill/sources';
import type { StoredDocument } from '@embedmill/vector-store';

/** A valid document of the shard that still has to be embedded. */
export interface PendingDocument {
  document: Document;
  line: Line;
  /** Equal fingerprints mean that storing the document again would change nothing. */
  fingerprint: string;
}

/**
 * One shard's documents and what has become of each so far; made by `read`, ended by `settle`.
 * Invariant at the end: stored + skipped + failed + duplicates = documents.
 */
export class ShardReading {
  readonly pending: PendingDocument[] = [];
  /** Of each failed document, where on the walk it failed and why. */
  readonly failed: { stage: Stage; code: ErrorCode }[] = [];
  tokens = 0;
  readonly #shard: Shard;
  readonly #failures: DocumentReport[] = [];
  readonly #warnings: DocumentReport[] = [];
  #documents = 0;
  #stored = 0;
  #skipped = 0;
  #duplicates = 0;
  #truncated = 0;
  #chunks = 0;

  private constructor(shard: Shard) {
    this.#shard = shard;
  }

  /** Reads the shard's lines: those that are no valid document, and those that come again later, are settled here. */
  static async read(spool: Spool, shard: Shard, modelRevision: string): Promise<ShardReading> {
    const reading = new ShardReading(shard);
    const basis = JSON.stringify([shard.collection.profile, modelRevision]);
    for await (const group of readShardLines(spool, shard)) {
      for (const read of group) {
        reading.#documents += 1;
        switch (read.kind) {
          case 'invalid':
            reading.#fail(read.report, 'read');
            break;
          case 'superseded':
            reading.#duplicates += 1;
            reading.#warnings.push(read.report);
            break;
          case 'document': {
            const { line, document } = read;
            reading.pending.push({ document, line, fingerprint: fingerprintOf(document, basis) });
            break;
          }
        }
      }
    }
    return reading;
  }

  /**
   * The documents that have to be embedded, given what the store has of each pending one. What an earlier
   * attempt at this very job stored counts as stored, not as skipped.
   */
  skipUnchanged(known: (StoredDocument | undefined)[]): PendingDocument[] {
    return this.pending.filter((pending, n) => {
      const stored = known[n];
      if (stored?.fingerprint !== pending.fingerprint) return true;
      if (stored.jobId === this.#shard.job) this.store(stored.chunkCount);
      else this.skip();
      return false;
    });
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
    await spool.settleReports(job, this.#shard.index, reports);
    return {
      index: this.#shard.index,
      documents: this.#documents,
      stored: this.#stored,
      skipped: this.#skipped,
      failed: this.#failures.length,
      duplicates: this.#duplicates,
      truncated: this.#truncated,
      chunks: this.#chunks,
      tokens: this.tokens,
    };
  }

  #fail(report: DocumentReport, stage: Stage): void {
    this.#failures.push(report);
    this.failed.push({ stage, code: report.code });
  }
}

function fingerprintOf(document: Document, basis: string): string {
  const { id, tenant, text, image, video, title, metadata, vector } = document;
  // What a document lacks is not named where documents of old did not have it: their fingerprints stay.
  const fields = [id, tenant, text, title, metadata, image, video, ...(vector === undefined ? [] : [vector])];
  return hash('sha256', basis + JSON.stringify(fields), 'hex');
}
