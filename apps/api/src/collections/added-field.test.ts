import { expect, test } from 'vitest';
import type { Collection } from '@embedmill/jobs';
import type { VectorStore } from '@embedmill/vector-store';
import { FieldAdditions } from './added-field.ts';
import { collection } from '../dispatch/test-dispatch.ts';

test('work that outlasts the response continues, runs once, and is reported to repeated requests', async () => {
  const { promise: filled, resolve: fill } = Promise.withResolvers<void>();
  const added: string[] = [];
  const store = {
    getCollection: async (): Promise<Collection> => collection,
    countPoints: async () => 7,
    countDocuments: async () => [],
    scanPoints: async () => [],
    addField: async (_: string, field: string) => {
      added.push(field);
      await filled;
    },
  } as unknown as VectorStore;
  const fields = new FieldAdditions(store, 1);
  const asked = { field: 'year', type: 'integer' } as const;
  const progress = { field: 'year', points: 0, of: 7 };
  expect(await fields.add('test', asked)).toEqual(progress);
  expect(await fields.add('test', asked)).toEqual(progress);
  fill();
  await expect.poll(() => fields.add('test', asked)).toMatchObject({ values: 0, misfits: 0 });
  expect(added).toEqual(['year']);
});
