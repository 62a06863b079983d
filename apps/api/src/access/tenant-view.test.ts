import { afterAll, beforeAll, expect, test } from 'vitest';
import { profileSchema, type Collection, type CollectionName, type JobId } from '@embedmill/jobs';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { EVERYONE, runAs } from './principal.ts';
import { tenantView } from './tenant-view.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const NAME = 'docs' as CollectionName;
const JOB = 'job_x' as JobId;

/** Everything that returns or changes a tenant's data. */
function calls(): [string, () => Promise<unknown>][] {
  const { store, queue, spool } = tenantView(api.parts);
  const definition: Collection = {
    name: NAME,
    profile: profileSchema.parse({}),
    dims: 2,
    vector: 'dense',
    createdAt: '2026-01-01T00:00:00Z',
  };
  const vector = { kind: 'dense' as const, values: new Float32Array(2) };
  return [
    ['createCollection', () => store.createCollection(definition)],
    ['getCollection', () => store.getCollection(NAME)],
    ['listCollections', () => store.listCollections()],
    ['updateCollection', () => store.updateCollection(definition)],
    ['deleteCollection', () => store.deleteCollection(NAME)],
    ['countPoints', () => store.countPoints(NAME)],
    ['findDocuments', () => store.findDocuments(NAME, [])],
    ['replaceDocuments', () => store.replaceDocuments(NAME, [])],
    ['deleteDocuments', () => store.deleteDocuments(NAME, [], 1)],
    ['confirmDocuments', () => store.confirmDocuments(NAME, [], 1)],
    ['removeOvertaken', () => store.removeOvertaken(NAME, [], 1)],
    ['purgeTombstones', () => store.purgeTombstones(NAME, 1)],
    ['search', () => store.search(NAME, { vector, limit: 1, offset: 0 })],
    ['rank', () => store.rank(NAME, [])],
    ['findNear', () => store.findNear(NAME, [], { threshold: 0, limit: 1 })],
    ['getPayloads', () => store.getPayloads(NAME, [])],
    ['getVectors', () => store.getVectors(NAME, [])],
    ['getDense', () => store.getDense(NAME, [])],
    ['maxSimilarities', () => store.maxSimilarities(NAME, [], new Int8Array())],
    ['getPoints', () => store.getPoints(NAME, [])],
    ['scanPoints', () => store.scanPoints(NAME, { limit: 1 })],
    ['scanDocuments', () => store.scanDocuments(NAME, { limit: 1 })],
    ['addVectors', () => store.addVectors(NAME, [])],
    ['termFactors', () => store.termFactors(NAME, 'bm25', new Uint32Array())],
    ['submit', () => queue.submit({ collection: definition } as never)],
    ['inOrder', () => queue.inOrder(NAME, async () => undefined)],
    ['getJob', () => queue.getJob(JOB)],
    ['getSubmission', () => queue.getSubmission(JOB)],
    ['listJobs', () => queue.listJobs({ limit: 1 })],
    ['unfinishedJobs', () => queue.unfinishedJobs('docs')],
    ['cancel', () => queue.cancel(JOB)],
    ['readReports', () => Array.fromAsync(spool.readReports(JOB, 'failures'))],
    ['collectFailures', () => spool.collectFailures(JOB, { source: { kind: 'inline', lines: [] } }, JOB)],
  ];
}

test('without a known principal, nothing is returned or changed', async () => {
  for (const [name, call] of calls()) {
    await expect(call(), name).rejects.toMatchObject({ code: 'internal' });
  }
});

test('also the API writes documents through jobs only', async () => {
  const { store } = tenantView(api.parts);
  const writes: (() => Promise<unknown>)[] = [
    () => store.replaceDocuments(NAME, []),
    () => store.confirmDocuments(NAME, [], 1),
    () => store.removeOvertaken(NAME, [], 1),
    () => store.purgeTombstones(NAME, 1),
    () => store.addVectors(NAME, []),
  ];
  for (const write of writes) await expect(runAs(EVERYONE, write)).rejects.toThrow('through jobs only');
});

test('the principal stays known through all work that follows', async () => {
  const { store } = tenantView(api.parts);
  const later = runAs(EVERYONE, async () => {
    await Promise.resolve();
    return store.listCollections();
  });
  expect(await later).toEqual([]);
});
