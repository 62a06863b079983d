import { EmbedmillError, type JobId, type Shard, type ShardResult } from '@embedmill/jobs';
import type { Stage } from '@embedmill/metrics';
import { datasetPart, type DatasetRow, type FieldValue } from '@embedmill/outputs';
import { quantized } from '@embedmill/retrieval';
import type { Spool } from '@embedmill/sources';
import type { ShardModels } from './draft-vectors.ts';
import type { InputOutcome } from './served-model.ts';
import { ShardReading, type PendingDocument } from './shard-reading.ts';
import { saysNothing } from './unknown-text.ts';

type Answered = Extract<InputOutcome, { ok: true }>;

const TRUNCATED = new EmbedmillError(
  'text_truncated',
  'the text exceeds the model’s limit; the rest of it is not embedded',
);

/**
 * A shard of an embed job: the rows of a dataset become one part of another, in order. A row that cannot be embedded is in
 * the failures and in no part. Processed again, it writes the same bytes again. It does not use the store.
 */
export async function datasetShard(
  shard: Shard,
  { spool, models: { own } }: { spool: Spool; models: ShardModels },
  timed: <T>(stage: Stage, work: () => Promise<T>) => Promise<T>,
): Promise<{ reading: ShardReading; result: ShardResult }> {
  const { dataset } = shard;
  if (dataset === undefined)
    throw new EmbedmillError('invalid_request', 'the shard does not belong to a dataset');
  const reading = await timed('read', () => ShardReading.read(spool, shard, own.revision));
  const { pending } = reading;
  const outcomes = await timed('infer', () =>
    own.embedInputs(pending.map(({ document }) => ({ input: document.text, prompt: dataset }))),
  );
  const rows = pending.flatMap((one, n): DatasetRow[] => {
    const outcome = outcomes[n];
    const error = faultIn(outcome, own.name);
    if (outcome?.ok !== true || error !== undefined) {
      reading.fail(
        one,
        error ?? new EmbedmillError('internal', 'the batch has no outcome for the row'),
        'infer',
      );
      return [];
    }
    reading.tokens += outcome.tokens;
    if (outcome.truncated) reading.warn(one, TRUNCATED);
    reading.store(1);
    return [rowOf(one, outcome, dataset.forms)];
  });
  const part = datasetPart({ job: shard.job, dataset }, rows);
  await timed('upsert', () => spool.writePart(shard.job as JobId, shard.index, once(part)));
  return { reading, result: await timed('settle', () => reading.settle(spool)) };
}

function faultIn(outcome: InputOutcome | undefined, model: string): EmbedmillError | undefined {
  if (outcome?.ok !== true) return outcome?.error;
  if (!outcome.unknown && !saysNothing(outcome.vector)) return undefined;
  return new EmbedmillError(
    'unknown_text',
    `text: ${model} knows no token of it, so its vector would be meaningless`,
  );
}

function rowOf(
  { document: { text, metadata } }: PendingDocument,
  { vector }: Answered,
  forms: readonly (keyof DatasetRow['embeddings'])[],
): DatasetRow {
  const embeddings = Object.fromEntries(
    forms.map((form) => [form, form === 'float' ? vector : quantized(vector, form)]),
  );
  // Rows are read in a way that keeps nothing else of them.
  return { text, embeddings, fields: metadata as { [name: string]: FieldValue } };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
