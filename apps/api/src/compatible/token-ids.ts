import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EmbedmillError } from '@embedmill/jobs';
import type { AskedModel, Encoding, ModelAliases } from '../models/model-aliases.ts';
import { refusedField } from '../http/problem.ts';

/** How to treat ids that are not marked as OpenAI's: refuse them, or read them as the model's own. */
export type TokenIds = 'refused' | 'model';

type Decode = (ids: Iterable<number>) => string;

/** Loaded once and kept: 100,000 or more tokens that few requests need. */
const decoders = new Map<Encoding, Promise<Decode>>();

/** After this many, about 10 ms, others get a turn of the event loop. */
const TURN_IDS = 16_384;

/**
 * Inputs as the model can read them: ids of OpenAI's vocabulary are decoded to text, ids of the model are kept if a setting
 * allows it, and others are refused. Otherwise a client with another vocabulary would get a vector of a text that nobody
 * wrote.
 */
export async function readableInputs(
  inputs: readonly (string | number[])[],
  { model, encoding }: Pick<AskedModel, 'encoding'> & { model: { name: string } },
  tokenIds: TokenIds,
  pathOf: (index: number) => string,
): Promise<(string | number[])[]> {
  const first = inputs.findIndex((input) => typeof input !== 'string');
  if (first === -1) return [...inputs];
  if (encoding === undefined) {
    if (tokenIds === 'model') return [...inputs];
    throw refusedIds(pathOf(first), model.name);
  }
  const decode = await decoderOf(encoding);
  const texts: (string | number[])[] = [];
  let done = 0;
  for (const [index, input] of inputs.entries()) {
    texts.push(typeof input === 'string' ? input : decoded(input, decode, pathOf(index)));
    done += input.length;
    if (done < TURN_IDS) continue;
    done = 0;
    await nextTurn();
  }
  return texts;
}

/** Loads the vocabularies of aliases in advance, because it blocks the event loop for a third of a second. */
export async function loadDecoders(aliases: ModelAliases | undefined): Promise<void> {
  for (const { encoding } of aliases?.values() ?? []) if (encoding !== undefined) await decoderOf(encoding);
}

function decoded(ids: number[], decode: Decode, path: string): string {
  try {
    return decode(ids);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw refusedField(path, `these are not token ids of OpenAI’s vocabulary: ${reason}`);
  }
}

function refusedIds(path: string, model: string): EmbedmillError {
  return refusedField(
    path,
    `token ids come from the client’s vocabulary, which may differ from that of ${model}; send texts. ` +
      'In LangChain’s OpenAIEmbeddings, set check_embedding_ctx_length=False. Or let this server decode OpenAI’s ids: set ' +
      `EMBEDMILL_API_MODEL_ALIASES=text-embedding-3-small=${model}, and request text-embedding-3-small. ` +
      `To accept ids of ${model} itself, set EMBEDMILL_API_TOKEN_IDS=model`,
  );
}

function decoderOf(encoding: Encoding): Promise<Decode> {
  const known = decoders.get(encoding);
  if (known !== undefined) return known;
  const loaded = loadDecoder(encoding);
  decoders.set(encoding, loaded);
  return loaded;
}

async function loadDecoder(encoding: Encoding): Promise<Decode> {
  switch (encoding) {
    case 'cl100k_base':
      return (await import('gpt-tokenizer/encoding/cl100k_base')).decode;
    case 'o200k_base':
      return (await import('gpt-tokenizer/encoding/o200k_base')).decode;
  }
}
