import { EmbedmillError } from '@embedmill/jobs';
import type { VectorStore } from './store.ts';

/** The kinds of observed calls; pings, and the few calls of bulk loads, are not observed. */
const OPERATIONS = {
  findDocuments: 'lookup',
  replaceDocuments: 'upsert',
  confirmDocuments: 'upsert',
  addVectors: 'upsert',
  deleteDocuments: 'delete',
  removeOvertaken: 'delete',
  takeBack: 'delete',
  purgeTombstones: 'delete',
  search: 'search',
  rank: 'search',
  findNear: 'search',
  termFactors: 'search',
  maxSimilarities: 'search',
  getPoints: 'read',
  getPayloads: 'read',
  getVectors: 'read',
  getDense: 'read',
  scanPoints: 'read',
  scanDocuments: 'read',
  countPoints: 'read',
  countLacking: 'read',
  countDocuments: 'read',
  getCollection: 'define',
  listCollections: 'define',
  createCollection: 'define',
  updateCollection: 'define',
  addField: 'define',
  deleteCollection: 'define',
  listAliases: 'define',
  moveAlias: 'define',
} as const satisfies {
  [Method in Exclude<keyof VectorStore, 'description' | 'loads' | 'ping' | 'close'>]: string;
};

export type StoreOperation = (typeof OPERATIONS)[keyof typeof OPERATIONS];

/** One call of the store, including retries of its requests and the pauses between them. */
export interface StoreCall {
  operation: StoreOperation;
  /** `rejected`: the same call would fail again. */
  outcome: 'ok' | 'rejected' | 'unavailable';
  seconds: number;
}

export interface StoreObserver {
  onCall: (call: StoreCall) => void;
  /** A "too many requests" response (429); the request may be retried within the same call. */
  onThrottled: () => void;
}

/** Wraps a store to report the duration and outcome of each call. */
export function observedStore(store: VectorStore, { onCall }: Pick<StoreObserver, 'onCall'>): VectorStore {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (!isObserved(name)) return member.bind(target) as unknown;
      const operation = OPERATIONS[name];
      return async (...args: unknown[]): Promise<unknown> => {
        const start = performance.now();
        let outcome: StoreCall['outcome'] = 'ok';
        try {
          return (await Reflect.apply(member, target, args)) as unknown;
        } catch (thrown) {
          outcome = isUnavailable(thrown) ? 'unavailable' : 'rejected';
          throw thrown;
        } finally {
          onCall({ operation, outcome, seconds: (performance.now() - start) / 1000 });
        }
      };
    },
  });
}

function isObserved(name: PropertyKey): name is keyof typeof OPERATIONS {
  return Object.hasOwn(OPERATIONS, name);
}

function isUnavailable(thrown: unknown): boolean {
  return thrown instanceof EmbedmillError && thrown.code === 'store_unavailable';
}
