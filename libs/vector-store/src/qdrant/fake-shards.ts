import type { FakeConfig } from './fake-config.ts';

type ShardKey = string | number;

/** A request's shard selection: keys, or a key with a fallback if it does not exist. */
export type ShardSelector = ShardKey | ShardKey[] | { target: ShardKey; fallback: ShardKey };

export interface ShardRefusal {
  status: 400 | 404;
  error: string;
}

/** The shard keys of one collection of FakeQdrant, and which of them a request reaches. */
export class FakeShards {
  readonly #config: FakeConfig;
  readonly #keys = new Set<ShardKey>();

  constructor(config: FakeConfig) {
    this.#config = config;
  }

  list(): ShardKey[] {
    return [...this.#keys];
  }

  create(key: ShardKey): void {
    this.#keys.add(key);
  }

  wrongKey(key: ShardKey): string | undefined {
    if (!this.#config.isSharded) return 'Bad request: Shard Key cannot be created with Auto sharding method';
    return this.#keys.has(key) ? `Bad request: Sharding key ${key} already exists` : undefined;
  }

  /** The fault in a request's shard selection; writes must have one. */
  refusal(selector: ShardSelector | null | undefined, kind: 'read' | 'write'): ShardRefusal | undefined {
    if (selector === null || selector === undefined) {
      if (kind === 'read' || !this.#config.isSharded) return undefined;
      return { status: 400, error: 'Wrong input: Shard key not specified' };
    }
    if (typeof selector === 'object' && 'target' in selector) {
      const { target, fallback } = selector;
      if (this.#keys.has(target) || this.#keys.has(fallback)) return undefined;
      const error = `Not found: Neither target shard key ${target} nor fallback shard key ${fallback} exist`;
      return { status: 404, error };
    }
    const gone = [selector].flat().find((key) => !this.#keys.has(key));
    if (gone === undefined) return undefined;
    return kind === 'read'
      ? { status: 404, error: `Not found: Shard key ${gone} not found` }
      : { status: 400, error: `Wrong input: Shard key ${gone} not found` };
  }

  /** The keys that a request reaches; undefined: all. */
  chosen(selector: ShardSelector | null | undefined): ShardKey[] | undefined {
    if (selector === null || selector === undefined) return undefined;
    if (typeof selector !== 'object') return [selector];
    if (Array.isArray(selector)) return selector;
    return [this.#keys.has(selector.target) ? selector.target : selector.fallback];
  }
}
