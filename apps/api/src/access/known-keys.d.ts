import { type ApiKeyEntry } from '@embedmill/jobs';
import type { Principal } from './principal.ts';
/** What may be shown of a key. */
export type ShownKey = Omit<ApiKeyEntry, 'hash'> & {
  expired: boolean;
};
/** Some keys, and who has them. It does not change. */
export declare class KnownKeys {
  #private;
  constructor(entries: readonly ApiKeyEntry[]);
  get size(): number;
  /** Whose key it is; undefined where there is no such key. Errors: `unauthenticated` for one that has expired. */
  principalOf(key: string): Principal | undefined;
  /** Who has the key of this name; undefined where there is none, or it has expired. */
  named(name: string): Principal | undefined;
  /** All of them, in their order. */
  list(): ShownKey[];
}
export declare function shownKey(entry: ApiKeyEntry): ShownKey;
