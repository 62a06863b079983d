/** A report on a store's server for operators. */
export interface StoreReport {
  /** Undefined if a proxy hides it. */
  version: string | undefined;
  /** The number of embedmill's collections. */
  collections: number;
  /** Problems, and what to do about them. */
  remarks: string[];
}
