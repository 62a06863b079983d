/** A report on a store's server for operators. */
export interface StoreReport {
  /** Undefined if a proxy hides it. */
  version: string | undefined;
  /** Of embedmill. */
  collections: number;
  /** Problems, and what to do about them. */
  remarks: string[];
}
