import { readKept, type JobId, type ShardRange, type StoredSource } from '@embedmill/jobs';
import { sizesOfBatchPart, unansweredLine } from '@embedmill/outputs';
import { sourceOf, type IngestHandle } from '@embedmill/queue';
import { readManifest, type Spool } from '@embedmill/sources';
import { partAt } from '../dispatch/export-output.ts';
import type { SourceThreads } from '../sources/source-threads.ts';
import { batchRecordSchema, type ClientFile } from './client-records.ts';

interface JoiningParts {
  spool: Spool;
  threads: SourceThreads;
}

/** A shard of the batch and its parts; none if it was never processed, or was given up. */
interface BatchShard {
  index: number;
  range: ShardRange;
  part: { source: StoredSource; answered: number; failed: number } | undefined;
}

/**
 * Joins the parts of a batch's shards into its output and error files, once nothing is written any more; the error file also
 * lists unanswered requests. So each request is in exactly one of the two. If the dispatcher is killed, the next one joins
 * them again under the same ids. Called by the dispatcher.
 */
export async function joinBatch(handle: IngestHandle, parts: JoiningParts): Promise<void> {
  const { record } = handle;
  const { batch, batchFiles, progress, tenant } = record;
  if (batch === undefined || batchFiles !== undefined || progress.shards === 0) return;
  const { spool } = parts;
  const shards = await shardsOf(handle, spool);
  const name = batch.id.slice('batch_'.length);
  const asked = readKept(batchRecordSchema, await spool.batches.read(batch.id)).data;
  const isExpired = asked !== undefined && asked.cancellingAt === undefined && Date.now() >= asked.expiresAt;
  const keep = async (kind: 'output' | 'error', lines: AsyncIterable<Uint8Array>): Promise<ClientFile> => {
    const id = `file-${name}_${kind}`;
    const createdAt = Date.now();
    const file: ClientFile = {
      id,
      filename: `${batch.id}_${kind}.jsonl`,
      purpose: 'batch_output',
      ...(tenant !== undefined && { tenant }),
      createdAt,
      ...(asked?.outputSeconds !== undefined && { expiresAt: createdAt + 1000 * asked.outputSeconds }),
      source: await spool.files.write(id, lines),
    };
    await spool.files.keep(id, file);
    return file;
  };
  const hasAnswers = shards.some(({ part }) => (part?.answered ?? 0) > 0);
  const hasErrors = shards.some(({ part }) => part === undefined || part.failed > 0);
  const output = hasAnswers ? await keep('output', answers()) : undefined;
  const errors = hasErrors ? await keep('error', failures()) : undefined;
  handle.record = {
    ...handle.record,
    ...(output !== undefined && { output: output.source }),
    batchFiles: { output: output?.id ?? null, errors: errors?.id ?? null },
  };
  await handle.save();

  async function* answers(): AsyncGenerator<Uint8Array> {
    for (const { part } of shards)
      if (part !== undefined && part.answered > 0) yield* spool.readSource(part.source, 0, part.answered);
  }

  async function* failures(): AsyncGenerator<Uint8Array> {
    for (const shard of shards) {
      const { part } = shard;
      if (part === undefined) yield* unanswered(shard);
      else if (part.failed > 0) yield* spool.readSource(part.source, part.answered, part.failed);
    }
  }

  async function* unanswered({ index, range }: BatchShard): AsyncGenerator<Uint8Array> {
    const { collection, mode, sourceName, metadataBytes } = record;
    const source = sourceOf(record);
    if (source === undefined || batch === undefined) return;
    const [report] = await spool.shardFailures(handle.id, index);
    const error = report ?? (isExpired ? EXPIRED : CANCELLED);
    const shard = { collection, tenant, mode, sourceName, metadataBytes, source, range };
    const { documents } = await parts.threads.run('shardKeys', shard, { share: tenant });
    const { code, message } = error;
    const lines = documents.map(({ id }) => `${unansweredLine(batch, id, { code, message })}\n`);
    yield Buffer.from(lines.join(''));
  }
}

/** In OpenAI's words. */
const EXPIRED = {
  code: 'batch_expired',
  message: 'This request could not be executed before the completion window expired.',
};
const CANCELLED = {
  code: 'batch_cancelled',
  message: 'This request was not executed because the batch was cancelled.',
};

async function shardsOf({ id }: IngestHandle, spool: Spool): Promise<BatchShard[]> {
  const written = new Map<number, StoredSource>();
  for await (const { shard, source } of spool.parts(id as JobId)) written.set(shard, source);
  const shards: BatchShard[] = [];
  for await (const { range } of readManifest(spool, id)) {
    const index = shards.length;
    const source = written.get(index);
    if (source === undefined) {
      shards.push({ index, range, part: undefined });
      continue;
    }
    const sizes = await sizesOfBatchPart(partAt(source, spool));
    shards.push({ index, range, part: { source, ...sizes } });
  }
  return shards;
}
