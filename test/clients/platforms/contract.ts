/**
 * The contract of packages/client in a form that any platform can run: it needs nothing but the client. It is bundled
 * and run elsewhere.
 */
import CASES from '../../../packages/client/contract/cases.json' with { type: 'json' };
import { createClient, EmbedmillError } from '../../../packages/client/src/index.ts';

export interface Outcome {
  check: string;
  /** What was wrong; null if nothing was. */
  error: string | null;
}

interface Case {
  name: string;
  verb: string;
  arguments: unknown[];
  options?: unknown;
  answers?: unknown;
  last?: unknown;
  lines?: unknown;
  fails?: unknown;
  as?: string;
}

/** Runs all cases, one after another, in a collection of their own. */
export async function contract(url: string, collection: string): Promise<Outcome[]> {
  const client = createClient({ url });
  const known: Record<string, unknown> = { collection };
  const outcomes: Outcome[] = [];
  for (const one of CASES as Case[]) {
    const error = await failure(one).catch((thrown: unknown) => String(thrown));
    outcomes.push({ check: one.name, error: error ?? null });
  }
  return outcomes;

  async function failure({
    verb,
    arguments: given,
    options,
    as,
    ...wanted
  }: Case): Promise<string | undefined> {
    const all = [...given.map(filled), ...(options === undefined ? [] : [options])];
    const outcome = await called(verb, all).catch((thrown: unknown) => thrown);
    if (wanted.fails !== undefined) {
      if (!(outcome instanceof EmbedmillError)) return `it did not fail: ${JSON.stringify(outcome)}`;
      return difference(outcome, wanted.fails);
    }
    if (outcome instanceof Error) throw outcome;
    if (as !== undefined) known[as] = outcome;
    if (wanted.last !== undefined) return difference((outcome as unknown[]).at(-1), filled(wanted.last));
    if (wanted.lines !== undefined) return difference(linesOf(outcome as Uint8Array[]), filled(wanted.lines));
    return difference(outcome ?? null, filled(wanted.answers ?? null));
  }

  async function called(verb: string, given: unknown[]): Promise<unknown> {
    const names = verb.split('.');
    const method = names.pop() ?? '';
    const holder = names.reduce<object>((at, name) => at[name as keyof object], client);
    const result = (holder as Record<string, (...given: unknown[]) => unknown>)[method]?.(...given);
    if (typeof result !== 'object' || result === null || !(Symbol.asyncIterator in result)) return result;
    const parts: unknown[] = [];
    for await (const part of result as AsyncIterable<unknown>) parts.push(part);
    return parts;
  }

  function filled(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(filled);
    if (typeof value === 'object' && value !== null) {
      const { $file: name, text } = value as { $file?: string; text?: string };
      if (name !== undefined)
        return new File([text ?? ''], name, { type: name.endsWith('.csv') ? 'text/csv' : '' });
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one)]));
    }
    if (typeof value !== 'string' || !value.startsWith('$')) return value;
    const path = value.slice(1).split('.');
    return path.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], known);
  }
}

/** The first difference from what is wanted; undefined if there is none. */
function difference(got: unknown, wanted: unknown, where = 'it'): string | undefined {
  if (typeof wanted !== 'object' || wanted === null)
    return got === wanted ? undefined : `${where} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`;
  if ('$type' in wanted)
    return typeof got === wanted.$type ? undefined : `${where} is ${typeof got}, no ${String(wanted.$type)}`;
  const size = (got as { length?: number }).length;
  if ('$length' in wanted) return size === wanted.$length ? undefined : `${where} has ${size} entries`;
  if (Array.isArray(wanted) && size !== wanted.length)
    return `${where} has ${size} entries: ${JSON.stringify(got)}`;
  for (const [key, one] of Object.entries(wanted)) {
    const found = difference((got as Record<string, unknown>)[key], one, `${where}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function linesOf(chunks: readonly Uint8Array[]): unknown[] {
  const decoder = new TextDecoder();
  const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('') + decoder.decode();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
