import { profileSchema, type Collection } from '@embedmill/jobs';
import { DataType } from '@zilliz/milvus2-sdk-node';
import { expect, test } from 'vitest';
import { pointTable } from './tables.ts';

test('a point’s tenant alone decides in which partition it lies', () => {
  const collection: Collection = {
    name: 'docs',
    dims: 4,
    vector: 'dense',
    createdAt: '2026-01-01T00:00:00.000Z',
    profile: profileSchema.parse({ sparse: { bm25: {} }, filterable: { year: 'integer' } }),
  };
  const { fields } = pointTable(DataType, collection, 'dense');
  const keys = fields.filter((field) => field.is_partition_key === true);
  expect(keys.map(({ name }) => name)).toEqual(['tenant']);
});
