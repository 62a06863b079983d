/** Tries a model on this machine's CPU. */
import { pathToFileURL } from 'node:url';
import { engineModel, EngineProcess, type Device, type EngineBatch } from '@embedmill/inference';
import type { ResolvedModel } from '@embedmill/models';
import { Tokenizer, type EncodedPair, type EncodedText } from '@embedmill/tokenization';
import { ENTRIES } from '../entries.ts';
import { CommandError } from '../exit.ts';

const TEXTS = ['A cat sleeps in the sun.', 'The kitten is napping outside.'] as const;
/** Large models take long to load. */
const DEADLINE_MS = 10 * 60_000;

/** Runs two texts through a model and reports the result. Throws its fault. */
export async function tryModel(model: ResolvedModel): Promise<string> {
  const { tokenizerPath: path, maxTokens, queryPrefix, documentPrefix, dims } = model;
  const tokenizer = await Tokenizer.load({ path, maxTokens, queryPrefix, documentPrefix });
  const engine = await trialEngine(model, { kind: 'cpu', threads: 1 }, DEADLINE_MS);
  try {
    switch (model.kind) {
      case 'dense': {
        const { vectors, seconds } = await engine.run(batchOf(await tokenizer.encode(TEXTS, 'document')));
        const [a, b] = [vectors.subarray(0, dims), vectors.subarray(dims, 2 * dims)];
        const [lengthA, lengthB] = [Math.hypot(...a), Math.hypot(...b)];
        if (!(lengthA > 0 && lengthB > 0)) throw new CommandError('it gives vectors of length 0');
        const cosine = a.reduce((sum, x, n) => sum + x * (b[n] ?? 0), 0) / (lengthA * lengthB);
        return `two texts became ${dims} numbers each, of length ${lengthA.toFixed(3)}, cosine ${cosine.toFixed(3)}, in ${milliseconds(seconds)}`;
      }
      case 'sparse': {
        const { sparse, seconds } = await engine.run(batchOf(await tokenizer.encode(TEXTS, 'document')));
        const counts = Array.from(sparse?.lengths ?? []).join(' and ');
        return `two texts became ${counts} terms, in ${milliseconds(seconds)}`;
      }
      case 'reranker': {
        const { scores, seconds } = await engine.run(batchOf(await tokenizer.encodePairs(TEXTS[0], TEXTS)));
        const judged = Array.from(scores ?? [], (score) => score.toFixed(3)).join(', ');
        return `a text scored against itself and another: ${judged}, in ${milliseconds(seconds)}`;
      }
    }
  } finally {
    await engine.close();
  }
}

/** An engine for trying a model, started like those of workers; the caller closes it. */
export function trialEngine(
  model: ResolvedModel,
  device: Device,
  deadlineMs: number,
): Promise<EngineProcess> {
  return EngineProcess.start({
    entry: pathToFileURL(ENTRIES.engine),
    model: engineModel(model),
    device,
    quiet: true,
    startDeadlineMs: deadlineMs,
    deadlineMs,
  });
}

function batchOf(sequences: readonly (EncodedText | EncodedPair)[]): EngineBatch {
  return {
    ids: Int32Array.from(sequences.flatMap(({ ids }) => Array.from(ids))),
    lengths: Int32Array.from(sequences, ({ ids }) => ids.length),
    urgent: true,
    ...(sequences.some((one) => 'firstPart' in one) && {
      firstParts: Int32Array.from(sequences, (one) => ('firstPart' in one ? one.firstPart : one.ids.length)),
    }),
  };
}

const milliseconds = (seconds: number): string => `${(seconds * 1000).toFixed(0)} ms`;
