/**
 * This tab's key. It is kept only in `sessionStorage`, so it is gone with the tab. The console asks for a key when the
 * server first refuses a request without one; then `version` changes and pages load again.
 */
const KEY = 'embedmill.key';

export interface SessionState {
  readonly key: string | undefined;
  /** Whether the server requires a key, or a different one. */
  readonly wanted: boolean;
  /** Why signing in failed. */
  readonly problem?: string;
  /** Changes with the principal: data that was loaded before belongs to another principal. */
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

  /** The server refused a request with this key. Does nothing if the key has changed since the request. */
  refuse(key: string | undefined): void {
    if (key === this.#state.key && !this.#state.wanted) this.#change({ ...this.#state, wanted: true });
  }

  enter(key: string): void {
    this.#storage.setItem(KEY, key);
    this.#change({ key, wanted: false, version: this.#state.version + 1 });
  }

  /** Asks for a key again and shows why signing in failed. */
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
