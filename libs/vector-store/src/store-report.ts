/** What an operator should know of a store's server. */
export interface StoreReport {
  /** Undefined where a proxy hides it. */
  version: string | undefined;
  /** Of embedmill. */
  collections: number;
  /** What is not as it should be, and what to do. */
  remarks: string[];
}
