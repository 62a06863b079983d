import { profileSchema, USUAL_QDRANT, type Collection, type DenseVector } from '@embedmill/jobs';
import { expect, test } from 'vitest';
import { creationOf } from './qdrant-collection.ts';
import { updateDefinition, type DefinitionRequests } from './qdrant-update.ts';

/** Changes of a definition during concurrent writes; the test controls each request and its result. */
const OTHER: DenseVector = { name: 'dense_2', model: 'another', dims: 3 };
const ONE: Collection = {
  name: 'docs',
  profile: profileSchema.parse({}),
  dims: 4,
  vector: 'dense',
  createdAt: '2026-01-01T00:00:00.000Z',
};
const BOTH: Collection = { ...ONE, other: OTHER };
const EXCHANGED: Collection = {
  ...ONE,
  vector: 'dense_2',
  dims: 3,
  profile: { ...ONE.profile, model: 'another' },
  other: { name: 'dense', model: ONE.profile.model, dims: 4 },
};

/** @param lacking the successive results of counting */
function requestsOf(existing: Collection, lacking: number[], vectors = ['dense', 'dense_2']) {
  const sent: string[] = [];
  const { metadata } = creationOf(existing, USUAL_QDRANT.layout);
  const params = { vectors: Object.fromEntries(vectors.map((name) => [name, { size: 4 }])) };
  const requests: DefinitionRequests = {
    info: async () => ({ config: { params, metadata } }) as never,
    define: async ({ vector, other }) => void sent.push(`define ${vector} ${other?.name ?? ''}`.trim()),
    countLacking: async (vector) => {
      sent.push(`count ${vector}`);
      return lacking.shift() ?? 0;
    },
    addVector: async ({ name }) => void sent.push(`add ${name}`),
    dropVector: async (name) => void sent.push(`drop ${name}`),
  };
  return { sent, requests };
}

test('points that lack the vector to search by keep it from being exchanged', async () => {
  const { sent, requests } = requestsOf(BOTH, [2]);
  await expect(updateDefinition(EXCHANGED, undefined, requests)).rejects.toMatchObject({
    code: 'migration_state',
  });
  expect(sent).toEqual(['count dense_2']);
});

test('points that are written between the count and the exchange turn it back', async () => {
  const { sent, requests } = requestsOf(BOTH, [0, 1]);
  await expect(updateDefinition(EXCHANGED, undefined, requests)).rejects.toMatchObject({
    code: 'migration_state',
  });
  expect(sent).toEqual(['count dense_2', 'define dense_2 dense', 'count dense_2', 'define dense dense_2']);
});

test('points that are written between the count and the end keep their vector', async () => {
  const ended: Collection = { ...EXCHANGED, other: undefined };
  const { sent, requests } = requestsOf(EXCHANGED, [0, 1]);
  await expect(updateDefinition(ended, undefined, requests)).rejects.toMatchObject({
    code: 'migration_state',
  });
  expect(sent).toEqual(['count dense_2', 'define dense_2', 'count dense_2', 'define dense_2 dense']);
});

test('what a former vector has left is taken neither for the new one’s, nor away from points that have no other', async () => {
  const begun = requestsOf(ONE, []);
  await updateDefinition(BOTH, ONE, begun.requests);
  expect(begun.sent).toEqual(['drop dense_2', 'add dense_2', 'define dense dense_2']);

  const measured = { ...ONE, averageLength: 7 };
  const left = requestsOf(ONE, [0]);
  await updateDefinition(measured, ONE, left.requests);
  expect(left.sent).toEqual(['define dense', 'count dense', 'drop dense_2']);
  const needed = requestsOf(ONE, [5]);
  await updateDefinition(measured, ONE, needed.requests);
  expect(needed.sent).toEqual(['define dense', 'count dense']);
});

test('a vector that somebody else has added to the points stays', async () => {
  const { sent, requests } = requestsOf(BOTH, [], ['dense', 'dense_2', 'colours']);
  await updateDefinition(ONE, BOTH, requests);
  expect(sent).toEqual(['count dense', 'define dense', 'count dense', 'drop dense_2']);
});
