import type { Context } from '../command-host.ts';
import { usageError } from '../exit.ts';

/** The stores with which whole jobs can be measured. */
export const BENCH_STORES = ['embedded', 'qdrant', 'milvus'] as const;
export type BenchStore = (typeof BENCH_STORES)[number];

/** The store in the settings. */
export function storeInUse({ config }: Pick<Context, 'config'>): BenchStore {
  if (config.qdrantUrl !== undefined) return 'qdrant';
  return config.milvus === undefined ? 'embedded' : 'milvus';
}

/** The context with this store; by default, the store in the settings. */
export function withStore(context: Context, wanted = storeInUse(context)): Context {
  if (wanted === storeInUse(context)) return context;
  if (wanted === 'embedded') {
    const { config, environment } = context;
    return {
      ...context,
      config: { ...config, qdrantUrl: undefined, milvus: undefined },
      environment: { ...environment, QDRANT_URL: '', MILVUS_URL: '' },
    };
  }
  const setting = wanted === 'qdrant' ? 'QDRANT_URL' : 'MILVUS_URL';
  throw usageError(`--store ${wanted}: its address is unknown; set ${setting}, and no other store's`);
}
