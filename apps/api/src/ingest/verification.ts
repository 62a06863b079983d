import {
  asEmbedmillError,
  CopiedSections,
  EmbedmillError,
  isFinished,
  sectionAt,
  sectionSequence,
  type CollectionName,
  type DocumentReport,
  type MoreReports,
  type SourceSection,
  type Verification,
} from '@embedmill/jobs';
import { scannedSections, sourceOf, type IngestRecord } from '@embedmill/queue';
import { readLines, readManifest } from '@embedmill/sources';
import type { ApiParts } from '../parts.ts';
import type { ShardKeys } from '../sources/source-tasks.ts';

/** The result of the comparison, without its consequences. */
export type Comparison = Pick<
  Verification,
  'documents' | 'stored' | 'deleted' | 'failed' | 'missing' | 'missingIds'
>;

const MOST_IDS = 100;
const NOTHING_COMPARED: Comparison = {
  documents: 0,
  stored: 0,
  deleted: 0,
  failed: 0,
  missing: 0,
  missingIds: [],
};

/**
 * Looks up each document of a job's source in the store, and yields the missing ones as lines; at the end, `comparison`
 * has the result. Errors: `source_unreadable` if the source was removed after the job, `source_changed`.
 */
export class JobComparison {
  comparison: Comparison = NOTHING_COMPARED;
  readonly #record: IngestRecord;
  readonly #parts: Pick<ApiParts, 'spool' | 'store' | 'threads'>;
  readonly #copied: CopiedSections;

  constructor(record: IngestRecord, parts: Pick<ApiParts, 'spool' | 'store' | 'threads'>) {
    this.#record = record;
    this.#parts = parts;
    this.#copied = new CopiedSections(record.sections);
  }

  /** Of the missing lines, if the job's source has several. */
  get sections(): SourceSection[] | undefined {
    return this.#copied.sections;
  }

  /** The comparison alone. */
  async compare(): Promise<Comparison> {
    for await (const line of this.missingLines()) void line;
    return this.comparison;
  }

  async *missingLines(): AsyncGenerator<Uint8Array> {
    const { id, collection, tenant, mode, sourceName, sequenced, metadataBytes, progress, state } =
      this.#record;
    const source = sourceOf(this.#record);
    // Before the scan there is nothing to compare with.
    if (source === undefined || progress.shards === 0) return;
    const { spool } = this.#parts;
    const failed = await failedLines(spool, this.#record);
    const wentAway = isFinished(state) && progress.failed === 0;
    try {
      if (wentAway && source.kind === 'inline' && source.lines.length === 0) throw gone(id);
      for await (const { range } of readManifest(spool, id, { sections: scannedSections(this.#record) })) {
        const shard = { collection, tenant, mode, sourceName, sequenced, metadataBytes, source, range };
        const sequence = sectionSequence(this.#record, sectionAt(this.#record.sections, range.offset));
        const keys = await this.#parts.threads.run('shardKeys', shard, { share: tenant });
        const valid = keys.documents.filter(({ line }) => !failed.has(line));
        this.#count({ failed: keys.invalid + keys.documents.length - valid.length });
        for (const { id: document, offset, length } of await this.#missing(valid, sequence)) {
          this.#count({ missing: 1 }, document);
          this.#copied.add(offset, length + 1);
          yield* spool.readSource(source, offset, length);
          yield Buffer.from('\n');
        }
      }
    } catch (thrown) {
      if (wentAway && asEmbedmillError(thrown).code === 'source_unreadable') throw gone(id, thrown);
      throw thrown;
    }
  }

  async #missing(valid: ShardKeys['documents'], sequence: number): Promise<ShardKeys['documents']> {
    const name = this.#record.collection.name as CollectionName;
    const found = await this.#parts.store.findDocuments(name, valid);
    // A document decided by a later submission or deletion is not missing, whatever its outcome.
    const isSettled = ({ isDeleted }: ShardKeys['documents'][number], n: number): boolean => {
      const one = found[n];
      if (one !== undefined && one.decided > sequence) return true;
      return isDeleted ? one?.state !== 'stored' : one?.state === 'stored';
    };
    const settled = valid.filter(isSettled);
    const deleted = settled.filter(({ isDeleted }) => isDeleted).length;
    this.#count({ stored: settled.length - deleted, deleted });
    return valid.filter((document, n) => !isSettled(document, n));
  }

  #count(
    more: Partial<Pick<Comparison, 'stored' | 'deleted' | 'failed' | 'missing'>>,
    missingId?: string,
  ): void {
    const { stored = 0, deleted = 0, failed = 0, missing = 0 } = more;
    const before = this.comparison;
    this.comparison = {
      documents: before.documents + stored + deleted + failed + missing,
      stored: before.stored + stored,
      deleted: before.deleted + deleted,
      failed: before.failed + failed,
      missing: before.missing + missing,
      missingIds:
        missingId === undefined || before.missingIds.length >= MOST_IDS
          ? before.missingIds
          : [...before.missingIds, missingId],
    };
  }
}

/** The listed failures. A failed document that is neither listed nor stored counts as missing. */
async function failedLines(spool: ApiParts['spool'], { id }: IngestRecord): Promise<Set<number>> {
  const lines = new Set<number>();
  for await (const group of readLines(spool.readReports(id, 'failures'))) {
    for (const { bytes } of group) {
      if (bytes === null) continue;
      const report = JSON.parse(bytes.toString('utf8')) as DocumentReport | MoreReports;
      if ('line' in report) lines.add(report.line);
    }
  }
  return lines;
}

function gone(id: string, cause?: unknown): EmbedmillError {
  const message = `the documents of job ${id} were removed because it ended without failures, so there is nothing to compare with; submit them again: unchanged documents are skipped`;
  return new EmbedmillError('source_unreadable', message, { cause });
}
