/**
 * The key of this tab, which is kept in `sessionStorage` alone and is gone with the tab. A key is asked for when the
 * server first refuses a request without one; pages then ask again, as `version` has moved.
 */
const KEY = 'embedmill.key';

export interface SessionState {
  readonly key: string | undefined;
  /** Whether the server wants a key, or another one. */
  readonly wanted: boolean;
  /** Why signing in did not work. */
  readonly problem?: string;
  /** Moves when whoever asks is another: what was loaded before is not theirs. */
  readonly version: number;
}

export class Session {
  readonly #storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  readonly #listeners = new Set<() => void>();
  #state: SessionState;

  constructor(storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>) {
    this.#storage = storage;
    this.#state = { key: storage.getItem(KEY) ?? undefined, wanted: false, version: 0 };
  }

  get state(): SessionState {
    return this.#state;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A request was refused that went out with this key; a newer one is not blamed for it. */
  refuse(key: string | undefined): void {
    if (key === this.#state.key && !this.#state.wanted) this.#change({ ...this.#state, wanted: true });
  }

  enter(key: string): void {
    this.#storage.setItem(KEY, key);
    this.#change({ key, wanted: false, version: this.#state.version + 1 });
  }

  /** Asks again, and says why it did not work. */
  fail(problem: string): void {
    this.#change({ ...this.#state, wanted: true, problem });
  }

  leave(): void {
    this.#storage.removeItem(KEY);
    this.#change({ key: undefined, wanted: false, version: this.#state.version + 1 });
  }

  #change(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
