import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { packageDocuments, packageSnapshots } from '../debian-packages.ts';
import { Embedmill, ndjson } from '../embedmill.ts';

/** Nothing is embedded twice: vectors are reused by chunk, whatever else of a document changes. */
let mill: Embedmill;
beforeAll(async () => {
  mill = await Embedmill.up();
});
afterAll(() => mill?.stop());

interface PointView {
  id: string;
  chunk: number;
  text: string;
  metadata: Record<string, unknown>;
  dense: string;
}

async function pointsOf(collection: string): Promise<PointView[]> {
  const all: PointView[] = [];
  for (let after: string | null = ''; after !== null;) {
    const page: { points: PointView[]; next: string | null } = await mill.json(
      `/api/v1/collections/${collection}/points${after === '' ? '' : `?after=${after}`}`,
    );
    all.push(...page.points);
    after = page.next;
  }
  return all.sort((a, b) => a.id.localeCompare(b.id) || a.chunk - b.chunk);
}

const submitted = async (collection: string, documents: object[]): Promise<Job> =>
  mill.finished(await mill.submit(collection, ndjson(documents)));

const paragraph = (n: number): string =>
  `Paragraph ${n} tells of the ship ${n * 7}, which sailed on day ${n * 13} with ${n * 3} sailors. ` +
  `Its captain ${n * 11} wrote ${n} letters, and each of them had ${n * 5} pages on whales.`;
const PROFILES = {
  dense: { chunking: { mode: 'tokens', size: 64, overlap: 0, boundary: 'paragraph' } },
  'BM42 and SPLADE': {
    chunking: { mode: 'tokens', size: 64, overlap: 0, boundary: 'paragraph' },
    sparse: { bm25: { averageLength: 30 }, bm42: {}, splade: {} },
  },
  token: {
    chunking: { mode: 'tokens', size: 64, overlap: 0, boundary: 'paragraph' },
    lateInteraction: { poolFactor: 2 },
  },
};

test.each(Object.entries(PROFILES))('with %s vectors', async (_, profile) => {
  const collection = await mill.collection('reuse', profile);
  const text = (paragraphs: number[]): string => paragraphs.map(paragraph).join('\n\n');
  const long = { id: 'long', text: text([1, 2, 3, 4, 5, 6]), metadata: { a: 1, b: { c: 2, d: 3 } } };
  const short = { id: 'short', title: 'A title', text: 'A whale and a captain.', metadata: { n: 1 } };
  const first = await submitted(collection, [long, short]);
  expect(first).toMatchObject({ stored: 2, reused: 0 });
  const before = await pointsOf(collection);
  expect(before.length).toBe(first.chunks);

  // If only metadata, or only the order of its keys, changes, the payload is written and nothing is embedded.
  const edited = [
    { ...long, metadata: { a: 2, b: { c: 2, d: 3 } } },
    { ...short, metadata: { n: 2, more: true } },
  ];
  const metadata = await submitted(collection, edited);
  expect(metadata).toMatchObject({ stored: 2, tokens: 0, reused: first.chunks, chunks: first.chunks });
  const ordered = await submitted(collection, [{ ...long, metadata: { b: { d: 3, c: 2 }, a: 2 } }]);
  expect(ordered).toMatchObject({ tokens: 0 });
  const after = await pointsOf(collection);
  expect(after.map(({ dense, text: own }) => [dense, own])).toEqual(
    before.map(({ dense, text: own }) => [dense, own]),
  );
  expect(after.map(({ metadata: own }) => own)).toEqual([
    ...before.slice(0, -1).map(() => edited[0]?.metadata),
    edited[1]?.metadata,
  ]);

  // One paragraph is added, one removed, two are swapped: the others move and keep their vectors.
  const changed = { ...long, text: text([1, 7, 2, 4, 3, 6]) };
  const rerankedOf = async () =>
    (
      await mill.search(collection, { query: 'letters of the captain on whales', rerank: true, limit: 50 })
    ).map(({ scores }) => scores?.['rerank'] ?? 0);
  for (const score of await rerankedOf()) expect(score).toBeGreaterThan(0.1);
  const moved = await submitted(collection, [changed]);
  const chunks = moved.chunks / 6;
  expect(moved).toMatchObject({ stored: 1, reused: moved.chunks - chunks });
  expect(moved.tokens).toBeLessThan(first.tokens / 4);
  // The title is in front of each chunk, so a new title changes all chunks.
  expect(await submitted(collection, [{ ...short, title: 'Another' }])).toMatchObject({
    reused: 0,
    stored: 1,
  });

  // In the end, everything is as if it had been stored this way at once.
  const fresh = await mill.collection('fresh', profile);
  await submitted(fresh, [changed, { ...short, title: 'Another' }]);
  const plain = (points: PointView[]) =>
    points.map(({ id, chunk, text: own, dense, metadata: of }) => ({ id, chunk, own, dense, of }));
  expect(plain(await pointsOf(collection))).toEqual(plain(await pointsOf(fresh)));
  for (const mode of ['dense', ...('sparse' in profile ? ['sparse', 'hybrid'] : [])]) {
    const query = { query: 'which ship had letters of 21 sailors', mode, limit: 8 };
    const [one, other] = [await mill.search(collection, query), await mill.search(fresh, query)];
    expect(one.map(({ id, chunk, score }) => ({ id, chunk, score }))).toEqual(
      other.map(({ id, chunk, score }) => ({ id, chunk, score })),
    );
  }
});

const PACKAGES = 400;
const packages = packageDocuments(PACKAGES + PACKAGES / 50);

test.skipIf(packages.length <= PACKAGES)(
  'a later snapshot of apt’s packages costs only its changes, whatever is killed, and ends as if it were the first (skipped without apt’s lists)',
  async () => {
    const profile = {
      chunking: { mode: 'tokens', size: 64, overlap: 0 },
      sparse: { bm25: { averageLength: 30 } },
    };
    const { first, second, added, removed, changed } = packageSnapshots(packages, PACKAGES);
    const living = await mill.collection('packages', profile);
    expect(await submitted(living, first)).toMatchObject({ stored: PACKAGES, failed: 0 });

    const response = await mill.call(`/api/v1/collections/${living}/jobs?mode=snapshot`, {
      method: 'POST',
      body: ndjson(second),
      headers: { 'content-type': 'application/x-ndjson' },
    });
    const job = (await response.json()) as Job;
    const { processes } = await mill.state();
    for (const victim of [processes.worker, processes.api]) process.kill(victim, 'SIGKILL');
    const synced = await mill.finished(job);
    expect(synced).toMatchObject({ state: 'completed', failed: 0, gone: removed.length });

    // The cost of the changed chunks alone.
    const apart = await mill.collection('changed', profile);
    const was = changed.map(({ id }) => first.find((one) => one.id === id)!);
    await submitted(apart, was);
    const edits = await submitted(apart, [...changed, ...added]);
    expect(synced.tokens).toBeLessThanOrEqual(1.1 * edits.tokens);
    expect(edits.tokens).toBeLessThan(
      (await submitted(await mill.collection('all', profile), second)).tokens / 10,
    );

    const fresh = mill.collections.at(-1)!;
    const plain = (points: PointView[]) =>
      points.map(({ id, chunk, text, dense, metadata }) => ({ id, chunk, text, dense, metadata }));
    expect(plain(await pointsOf(living))).toEqual(plain(await pointsOf(fresh)));
    for (const mode of ['sparse', 'hybrid']) {
      const query = { query: 'libraries for games in Python', mode, limit: 50 };
      const [one, other] = [await mill.search(living, query), await mill.search(fresh, query)];
      // Ties are broken by point id, which differs between collections.
      expect(one.map(({ score }) => score)).toEqual(other.map(({ score }) => score));
    }
  },
);
