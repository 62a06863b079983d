export {
  GuardedFetch,
  type FetchCodes,
  type Fetched,
  type FetchRequest,
  type GuardedFetchOptions,
} from './guarded-fetch.ts';
export { isPublicAddress } from './address-rules.ts';
export type { Resolve } from './checked-connection.ts';
