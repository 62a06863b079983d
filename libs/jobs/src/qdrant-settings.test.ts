import { expect, test } from 'vitest';
import { z } from 'zod';
import { qdrantConfig, qdrantSettings, USUAL_QDRANT } from './qdrant-settings.ts';

const read = (environment: Record<string, string>) =>
  qdrantConfig(z.strictObject(qdrantSettings).parse(environment));

test('where nothing is set, a cluster of three is meant: two copies, written while one node is away', () => {
  expect(read({})).toEqual(USUAL_QDRANT);
  expect(USUAL_QDRANT).toEqual({
    searchTimeout: 5000,
    layout: {
      sharding: 'auto',
      shards: undefined,
      replicas: 2,
      writeConsistency: 1,
      onDisk: false,
      optimizerThreads: undefined,
      hnsw: { m: undefined, efConstruct: undefined, payloadM: undefined },
    },
    largeTenants: [],
    bulkPoints: 1_000_000,
  });
});

test('each setting is the one that it is named for', () => {
  const set = {
    EMBEDMILL_QDRANT_SEARCH_SECONDS: '2.5',
    EMBEDMILL_QDRANT_SHARDS: '6',
    EMBEDMILL_QDRANT_SHARDING: 'custom',
    EMBEDMILL_QDRANT_LARGE_TENANTS: "acme, o'x,",
    EMBEDMILL_QDRANT_REPLICAS: '3',
    EMBEDMILL_QDRANT_WRITE_CONSISTENCY: '2',
    EMBEDMILL_QDRANT_ON_DISK: 'true',
    EMBEDMILL_QDRANT_HNSW_M: '0',
    EMBEDMILL_QDRANT_HNSW_EF_CONSTRUCT: '200',
    EMBEDMILL_QDRANT_HNSW_PAYLOAD_M: '24',
    EMBEDMILL_QDRANT_OPTIMIZER_THREADS: '4',
    EMBEDMILL_QDRANT_BULK_POINTS: '0',
  };
  expect(Object.keys(set).sort()).toEqual(Object.keys(qdrantSettings).sort());
  expect(read(set)).toEqual({
    searchTimeout: 2500,
    layout: {
      sharding: 'custom',
      shards: 6,
      replicas: 3,
      writeConsistency: 2,
      onDisk: true,
      optimizerThreads: 4,
      hnsw: { m: 0, efConstruct: 200, payloadM: 24 },
    },
    largeTenants: ['acme', "o'x"],
    bulkPoints: 0,
  });
});

test.each([
  ['EMBEDMILL_QDRANT_SHARDS', '0'],
  ['EMBEDMILL_QDRANT_REPLICAS', 'two'],
  ['EMBEDMILL_QDRANT_ON_DISK', 'perhaps'],
  ['EMBEDMILL_QDRANT_HNSW_EF_CONSTRUCT', '3'],
  ['EMBEDMILL_QDRANT_BULK_POINTS', '-1'],
])('%s=%s is refused', (name, value) => {
  expect(() => read({ [name]: value })).toThrow(name);
});
