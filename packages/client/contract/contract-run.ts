/**
 * The contract of every embedmill client, in any language: calls with their answers, in order, in cases.json.
 * `test/clients/python/contract.py` runs the same.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { EmbedmillError, type Client } from '../src/index.ts';

export interface ContractCase {
  name: string;
  /** For example `client.jobs.get`. */
  verb: string;
  /**
   * `$collection` stands for the run's collection, `$job.id` for a field of the answer kept as `job`, and an object
   * with `$file` for a file of that name with its `text`.
   */
  arguments: unknown[];
  /** Further options: the last argument here, keyword arguments in Python. */
  options?: Record<string, unknown>;
  /** What the answer must contain at least; for a stream, all of its items. */
  answers?: unknown;
  /** For a stream: its last item. */
  last?: unknown;
  /** For bytes: their lines. */
  lines?: unknown[];
  /** What the error must contain at least. */
  fails?: Record<string, unknown>;
  /** The name under which the answer is kept. */
  as?: string;
  /** Cases that need a complete embedmill. */
  needs?: 'a worker';
}

export const CONTRACT = JSON.parse(
  readFileSync(join(import.meta.dirname, 'cases.json'), 'utf8'),
) as ContractCase[];

/** Runs cases with a client, in order, because cases depend on earlier ones. */
export class ContractRun {
  readonly #client: Client;
  readonly #known: Record<string, unknown>;

  constructor(client: Client, collection: string) {
    this.#client = client;
    this.#known = { collection };
  }

  async check({ verb, arguments: given, options, as, ...wanted }: ContractCase): Promise<void> {
    const outcome = await this.#call(verb, [
      ...given.map(this.#filled),
      ...(options === undefined ? [] : [options]),
    ]).catch((error: unknown) => error);
    if (wanted.fails !== undefined) {
      expect(outcome).toBeInstanceOf(EmbedmillError);
      expect(outcome).toMatchObject(wanted.fails);
      return;
    }
    if (outcome instanceof Error) throw outcome;
    if (as !== undefined) this.#known[as] = outcome;
    if (wanted.last !== undefined)
      expect((outcome as unknown[]).at(-1)).toMatchObject(this.#shape(wanted.last));
    else if (wanted.lines !== undefined) expect(linesOf(outcome)).toMatchObject(this.#shape(wanted.lines));
    else if (typeof wanted.answers === 'object' && wanted.answers !== null)
      expect(outcome).toMatchObject(this.#shape(wanted.answers));
    else expect(outcome ?? null).toBe(wanted.answers);
  }

  async #call(verb: string, given: unknown[]): Promise<unknown> {
    const names = verb.split('.');
    const method = names.pop() ?? '';
    const holder = names.reduce<object>((at, name) => at[name as keyof object], this.#client);
    const called = (holder as Record<string, (...given: unknown[]) => unknown>)[method]?.(...given);
    const isStream = typeof called === 'object' && called !== null && Symbol.asyncIterator in called;
    return isStream ? Array.fromAsync(called as AsyncIterable<unknown>) : called;
  }

  readonly #filled = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(this.#filled);
    if (typeof value === 'object' && value !== null && '$file' in value) return fileOf(value);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.#filled(one)]));
    if (typeof value !== 'string' || !value.startsWith('$')) return value;
    return value
      .slice(1)
      .split('.')
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], this.#known);
  };

  /** The comparison of vitest. */
  #shape(wanted: unknown): object {
    const shaped = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shaped);
      if (typeof value !== 'object' || value === null) return value;
      if ('$type' in value) return value.$type === 'string' ? expect.any(String) : expect.any(Number);
      if ('$length' in value) return expect.objectContaining({ length: value.$length });
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shaped(one)]));
    };
    return shaped(this.#filled(wanted)) as object;
  }
}

function fileOf(value: object): File {
  const { $file, text } = value as { $file: string; text: string };
  return new File([text], $file, { type: $file.endsWith('.csv') ? 'text/csv' : '' });
}

function linesOf(chunks: unknown): unknown[] {
  const text = Buffer.concat(chunks as Uint8Array[]).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
