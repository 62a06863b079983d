import {
  batchRequestSchema,
  EmbedmillError,
  openaiErrorOf,
  type BatchError,
  type BatchRequest,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import type { Stage } from '@embedmill/metrics';
import { answeredLine, failedLine, writeBatchPart, type EmbeddingsBody } from '@embedmill/outputs';
import { encodedVector, shortened } from '@embedmill/retrieval';
import type { Spool } from '@embedmill/sources';
import type { ShardModels } from './draft-vectors.ts';
import type { InputOutcome } from './served-model.ts';
import { ShardReading, type PendingDocument } from './shard-reading.ts';
import { saysNothing } from './unknown-text.ts';

type Wanted = Exclude<BatchRequest, { error: unknown }>;

/** A request and the outcomes of its inputs. */
interface Answered {
  pending: PendingDocument;
  wanted: Wanted;
  outcomes: Extract<InputOutcome, { ok: true }>[];
}

/**
 * A shard of an OpenAI batch: it writes the response or the error of each request as one line of its part of the batch's
 * files. Processed again, it writes the same lines again. It does not use the store.
 */
export async function batchShard(
  shard: Shard,
  { spool, models: { own } }: { spool: Spool; models: ShardModels },
  timed: <T>(stage: Stage, work: () => Promise<T>) => Promise<T>,
): Promise<{ reading: ShardReading; result: ShardResult }> {
  const { batch } = shard;
  if (batch === undefined)
    throw new EmbedmillError('invalid_request', 'the shard does not belong to a batch');
  const reading = await timed('read', () => ShardReading.read(spool, shard, own.revision));
  const requests = reading.pending.map((pending) => ({
    pending,
    request: batchRequestSchema.parse(JSON.parse(pending.document.text)),
  }));
  const outcomes = await timed('infer', () =>
    own.embedInputs(
      requests.flatMap(({ request }) =>
        'error' in request ? [] : request.inputs.map((input) => ({ input, prompt: request })),
      ),
    ),
  );
  const answered: Answered[] = [];
  const failed: { pending: PendingDocument; error: BatchError }[] = [];
  let at = 0;
  for (const { pending, request } of requests) {
    if ('error' in request) {
      reading.fail(pending, new EmbedmillError('invalid_request', request.error.message), 'read');
      failed.push({ pending, error: request.error });
      continue;
    }
    const own = outcomes.slice(at, at + request.inputs.length);
    at += request.inputs.length;
    const wrong = own.find((one) => !one.ok);
    const error = wrong?.ok === false ? wrong.error : unknownInput(own, shard);
    if (error !== undefined) {
      reading.fail(pending, error, 'infer');
      failed.push({ pending, error: openaiErrorOf(error) });
      continue;
    }
    const whole = own.flatMap((one) => (one.ok ? one : []));
    for (const { tokens } of whole) reading.tokens += tokens;
    if (whole.some(({ truncated }) => truncated)) reading.warn(pending, TRUNCATED);
    reading.store(whole.length);
    answered.push({ pending, wanted: request, outcomes: whole });
  }
  const part = writeBatchPart(
    lines(answered, ({ pending, wanted, outcomes: whole }) =>
      answeredLine(batch, pending.document.id, bodyOf(wanted, whole, shard)),
    ),
    lines(failed, ({ pending, error }) => failedLine(batch, pending.document.id, error)),
  );
  await timed('upsert', () => spool.writePart(shard.job as JobId, shard.index, part));
  return { reading, result: await timed('settle', () => reading.settle(spool)) };
}

const TRUNCATED = new EmbedmillError(
  'text_truncated',
  'an input exceeds the model’s limit; the rest of it is not embedded',
);

function bodyOf(
  { dims, format, form }: Wanted,
  outcomes: Answered['outcomes'],
  { collection }: Shard,
): EmbeddingsBody {
  const tokens = outcomes.reduce((sum, one) => sum + one.tokens, 0);
  return {
    object: 'list',
    data: outcomes.map(({ vector, truncated }, index) => ({
      object: 'embedding',
      index,
      embedding: encodedVector(shortened(vector, dims), format, form),
      ...(truncated && { truncated: true as const }),
    })),
    model: collection.profile.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function unknownInput(outcomes: readonly InputOutcome[], { collection }: Shard): EmbedmillError | undefined {
  const index = outcomes.findIndex((one) => one.ok && (one.unknown || saysNothing(one.vector)));
  if (index === -1) return undefined;
  const { model } = collection.profile;
  const path = outcomes.length === 1 ? 'input' : `input/${index}`;
  const message = `${path}: ${model} knows no token of the text, so its vector would be meaningless`;
  return new EmbedmillError('invalid_request', message, { details: [{ path, message }] });
}

function* lines<T>(items: readonly T[], lineOf: (item: T) => string): Generator<string> {
  for (const item of items) yield lineOf(item);
}
