import { expect, test } from 'vitest';
import { NO_COUNTS, shardResultSchema, shardSchema } from './shard.ts';

test('a result of a later version is read, without what is not known of it', () => {
  const result = { index: 3, ...NO_COUNTS, documents: 2, stored: 2 };
  expect(shardResultSchema.parse({ ...result, watts: 5 })).toEqual(shardResultSchema.parse(result));
});

test('a shard that asks for more than is known is refused', () => {
  const { error } = shardSchema.safeParse({ job: 'a', index: 0, watts: 5 });
  expect(error?.issues).toContainEqual(
    expect.objectContaining({ code: 'unrecognized_keys', keys: ['watts'] }),
  );
});
