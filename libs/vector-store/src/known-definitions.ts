import type { Collection } from '@embedmill/jobs';

/** Milliseconds for which a collection's definition is taken to be what it was. */
const DEFINITION_AGE = 5000;

/** What collections were when they were last read or written, for a short while: each write needs it. */
export class KnownDefinitions {
  readonly #definitions = new Map<string, { collection: Collection; until: number }>();

  get(name: string): Collection | undefined {
    const known = this.#definitions.get(name);
    return known !== undefined && known.until > performance.now() ? known.collection : undefined;
  }

  remember(collection: Collection): void {
    this.#definitions.set(collection.name, { collection, until: performance.now() + DEFINITION_AGE });
  }

  forget(name: string): void {
    this.#definitions.delete(name);
  }
}
