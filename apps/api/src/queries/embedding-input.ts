import { z } from 'zod';
import type { JsonLimits } from '../http/json-bounds.ts';
import { refusedField } from '../http/problem.ts';

/** Inputs to embed: texts, or token ids from a client's own tokenizer. */
export type EmbeddingInput = string | string[] | number[] | number[][];

/** The limit of one request, as at OpenAI. */
export const MAX_INPUTS = 2048;
/** A million token ids: 2048 inputs of 512, or 128 of 8192. */
export const EMBEDDING_JSON: JsonLimits = { values: 1 << 20, containers: 4096 };
/** Ids have 32 bits everywhere. */
const MAX_ID = 2 ** 31 - 1;
const SHAPE = 'must be a string, a list of strings, a list of token ids, or a list of lists of token ids';

const ids = { type: 'array', items: { type: 'integer', minimum: 0, maximum: MAX_ID } };
const described = z.unknown().meta({
  anyOf: [
    { type: 'string' },
    { type: 'array', items: { type: 'string' } },
    ids,
    { type: 'array', items: ids },
  ],
});

/**
 * `input` of a request. Validated here rather than by a union of list schemas, which would try each shape on each of a
 * million items and record every fault.
 */
export const embeddingInput = described.transform((given, context): EmbeddingInput => {
  const fault = faultIn(given);
  if (fault === undefined) return given as EmbeddingInput;
  context.addIssue({ code: 'custom', ...fault });
  return z.NEVER;
});

/** Splits a request's field into one input per vector, each with its path. Errors: `invalid_request`. */
export function listedInputs(
  given: EmbeddingInput,
  field: string,
): { inputs: (string | number[])[]; pathOf: (index: number) => string } {
  const isOne = typeof given === 'string' || typeof given[0] === 'number';
  const inputs = (isOne ? [given] : given) as (string | number[])[];
  if (inputs.length === 0) throw refusedField(field, 'there is nothing to embed');
  if (inputs.length > MAX_INPUTS)
    throw refusedField(
      field,
      `there are ${inputs.length} inputs; one request may have at most ${MAX_INPUTS}`,
    );
  const pathOf = (index: number) => (isOne ? field : `${field}/${index}`);
  const empty = inputs.findIndex(({ length }) => length === 0);
  if (empty !== -1) throw refusedField(pathOf(empty), 'the input is empty');
  return { inputs, pathOf };
}

interface Fault {
  path: number[];
  message: string;
}

/** The first fault. */
function faultIn(given: unknown): Fault | undefined {
  if (typeof given === 'string') return undefined;
  if (!Array.isArray(given)) return { path: [], message: SHAPE };
  const items = given as unknown[];
  switch (typeof items[0]) {
    case 'undefined':
      return undefined;
    case 'string': {
      const at = items.findIndex((item) => typeof item !== 'string');
      return at === -1 ? undefined : { path: [at], message: 'must be a string, like the first one' };
    }
    case 'number':
      return faultInIds(items);
    default:
      for (const [n, item] of items.entries()) {
        if (!Array.isArray(item))
          return { path: n === 0 ? [] : [n], message: n === 0 ? SHAPE : 'must be a list' };
        const fault = faultInIds(item as unknown[]);
        if (fault !== undefined) return { path: [n, ...fault.path], message: fault.message };
      }
      return undefined;
  }
}

function faultInIds(items: readonly unknown[]): Fault | undefined {
  const at = items.findIndex(
    (item) => !(Number.isInteger(item) && Number(item) >= 0 && Number(item) <= MAX_ID),
  );
  return at === -1
    ? undefined
    : { path: [at], message: `must be a token id: a whole number from 0 to ${MAX_ID}` };
}
