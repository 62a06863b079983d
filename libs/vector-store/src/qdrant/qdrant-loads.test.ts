import { profileSchema, type Collection, type CollectionName, type JobId } from '@embedmill/jobs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { documentOf, near, unit } from '../conformance-documents.ts';
import { startFakeQdrant, type FakeQdrant } from './fake-qdrant.ts';
import { LeanClient } from './lean-client.ts';
import { openQdrantStore } from './open-qdrant-store.ts';
import { QdrantConnection } from './qdrant-connection.ts';
import { QdrantLoads } from './qdrant-loads.ts';
import type { QdrantStore } from './qdrant-store.ts';

/** Bulk loads with the fake Qdrant: the requests, and the state after a crash between any two of them. */
const NAME = 'docs' as CollectionName;
const COLLECTION: Collection = {
  name: NAME,
  dims: 4,
  vector: 'dense',
  createdAt: '2026-01-01T00:00:00.000Z',
  profile: profileSchema.parse({}),
};
const [ONE, TWO] = ['job-one', 'job-two'] as [JobId, JobId];
const MANY = 1000;

let fake: FakeQdrant;
let store: QdrantStore;

beforeEach(async () => {
  fake = await startFakeQdrant();
  store = await opened();
  await store.createCollection(COLLECTION);
  fake.requests.length = 0;
});
afterEach(async () => {
  await fake.close();
  expect(fake.violations).toEqual([]);
});

const opened = (bulkPoints = MANY) => openQdrantStore({ url: fake.url, timeout: 5000, bulkPoints });

async function patch(change: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  await fetch(`${fake.url}/collections/${NAME}`, { method: 'PATCH', headers, body: JSON.stringify(change) });
}

interface Kept {
  hnsw_config: { m: number; payload_m?: number };
  metadata: Record<string, unknown>;
}

/** The collection's current index, and the recorded loads. */
async function now() {
  const answer = await fetch(`${fake.url}/collections/${NAME}`);
  const { result } = (await answer.json()) as { result: { config: Kept } };
  const { m, payload_m: payloadM } = result.config.hnsw_config;
  return { m, payloadM, marks: Object.keys(result.config.metadata).filter((key) => key !== 'embedmill') };
}

const patches = () => fake.requests.filter(({ method }) => method === 'patch').map(({ body }) => body);

/** Breaks the connection at every request from the nth on, like a crash there. */
async function dyingAt(nth: number, action: (dying: QdrantStore) => Promise<unknown>): Promise<boolean> {
  const dying = await opened();
  const before = fake.requests.length;
  const shift = fake.failures.shift.bind(fake.failures);
  fake.failures.shift = () =>
    fake.requests.length - before >= nth ? { status: 400, error: 'died' } : shift();
  try {
    await action(dying);
    return false;
  } catch {
    return true;
  } finally {
    fake.failures.shift = shift;
  }
}

describe('a bulk load', () => {
  test('has a mark first and no links then; its end gives the links back before the mark goes', async () => {
    expect(await store.loads.begin(NAME, ONE, MANY)).toBe(true);
    expect(patches()).toEqual([
      {
        metadata: {
          'embedmill-load-job-one': { since: expect.any(String), links: { m: 16 }, over: false },
        },
      },
      { hnsw_config: { m: 0 } },
    ]);
    expect(await store.loads.list()).toEqual([{ collection: NAME, job: ONE }]);
    fake.requests.length = 0;
    await store.loads.end(NAME, ONE);
    expect(patches().slice(1)).toEqual([
      { hnsw_config: { m: 16 } },
      { metadata: { 'embedmill-load-job-one': null } },
    ]);
    expect(await now()).toEqual({ m: 16, payloadM: undefined, marks: [] });
    expect(await store.loads.list()).toEqual([]);
  });

  test('keeps the definition, and searches find all', async () => {
    await store.loads.begin(NAME, ONE, MANY);
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a'), documentOf(NAME, 'b')]);
    expect(await store.getCollection(NAME)).toEqual(COLLECTION);
    const found = await store.search(NAME, { vector: near(unit(4, 0)), limit: 10, offset: 0 });
    expect(found.length).toBe(2);
  });

  test('that is smaller, or not the first one, leaves the index as it is', async () => {
    expect(await store.loads.begin(NAME, ONE, MANY - 1)).toBe(false);
    expect(fake.requests).toEqual([]);
    const never = await opened(0);
    expect(await never.loads.begin(NAME, ONE, 1e9)).toBe(false);
    expect(fake.requests).toEqual([]);
    const there = Array.from({ length: 101 }, (_, n) => documentOf(NAME, `d${n}`));
    await store.replaceDocuments(NAME, there);
    fake.requests.length = 0;
    expect(await store.loads.begin(NAME, ONE, MANY)).toBe(false);
    expect(patches()).toEqual([]);
    expect(await store.loads.begin(NAME, ONE, 1010)).toBe(true);
  });

  test('of a collection that is not there, or that is not embedmill’s, changes nothing', async () => {
    expect(await store.loads.begin('gone' as CollectionName, ONE, MANY)).toBe(false);
    await store.loads.end('gone' as CollectionName, ONE);
    await patch({ metadata: { embedmill: null } });
    fake.requests.length = 0;
    expect(await store.loads.begin(NAME, ONE, MANY)).toBe(false);
    expect(patches()).toEqual([]);
  });

  test('takes the links of tenants, too, and gives back those of a collection that has only them', async () => {
    await patch({ hnsw_config: { m: 0, payload_m: 24 } });
    expect(await store.loads.begin(NAME, ONE, MANY)).toBe(true);
    expect(await now()).toMatchObject({ m: 0, payloadM: 0 });
    await store.loads.end(NAME, ONE);
    expect(await now()).toEqual({ m: 0, payloadM: 24, marks: [] });
  });

  test('is none where there is no index to put off, or where searches without one are forbidden', async () => {
    await patch({ hnsw_config: { m: 0 } });
    expect(await store.loads.begin(NAME, ONE, MANY)).toBe(false);
    await patch({ hnsw_config: { m: 16 }, strict_mode_config: { enabled: true, search_allow_exact: false } });
    expect(await store.loads.begin(NAME, ONE, MANY)).toBe(false);
    expect(await now()).toEqual({ m: 16, payloadM: undefined, marks: [] });
  });

  test('leaves links that an operator has set meanwhile', async () => {
    await store.loads.begin(NAME, ONE, MANY);
    await patch({ hnsw_config: { m: 32 } });
    // The process that takes over the job does not defer the index again.
    expect(await (await opened()).loads.begin(NAME, ONE, MANY)).toBe(true);
    expect(await now()).toMatchObject({ m: 32 });
    await store.loads.end(NAME, ONE);
    expect(await now()).toEqual({ m: 32, payloadM: undefined, marks: [] });
  });

  test('is named in the report, and so is a collection that has no index by hand', async () => {
    await store.loads.begin(NAME, ONE, MANY);
    expect((await store.report()).remarks).toEqual([
      expect.stringMatching(
        /index of the collection "docs" has been deferred for a load since 20.* \(job-one\)/,
      ),
    ]);
    await store.loads.end(NAME, ONE);
    expect((await store.report()).remarks).toEqual([]);
    await patch({ hnsw_config: { m: 0 } });
    expect((await store.report()).remarks).toEqual([expect.stringMatching(/has no index/)]);
  });
});

describe('two bulk loads', () => {
  test('share it: the index comes back with the end of the last, however far the collection is', async () => {
    await store.loads.begin(NAME, ONE, MANY);
    await store.replaceDocuments(
      NAME,
      Array.from({ length: 150 }, (_, n) => documentOf(NAME, `d${n}`)),
    );
    expect(await store.loads.begin(NAME, TWO, MANY)).toBe(true);
    await store.loads.end(NAME, ONE);
    expect(await now()).toMatchObject({ m: 0 });
    await store.loads.end(NAME, TWO);
    expect(await now()).toEqual({ m: 16, payloadM: undefined, marks: [] });
  });

  test.each([
    { what: 'end', calls: [4, 4], second: (loads: QdrantLoads) => loads.end(NAME, TWO) },
    { what: 'of which one begins while the other ends', calls: [5, 3], second: undefined },
  ])('that $what at the same moment leave no collection without its index', async ({ calls, second }) => {
    for (const turns of orders(calls[0] ?? 0, calls[1] ?? 0)) {
      await store.loads.begin(NAME, ONE, MANY);
      if (second !== undefined) await store.loads.begin(NAME, TWO, MANY);
      await inTurns(
        turns,
        (loads) => loads.end(NAME, ONE),
        second ?? ((loads) => loads.begin(NAME, TWO, MANY)),
      );
      const { m, marks } = await now();
      if (m === 0) expect([turns, ...marks]).toContain('embedmill-load-job-two');
      if (second === undefined) await store.loads.end(NAME, TWO);
      expect([turns, await now()]).toEqual([turns, { m: 16, payloadM: undefined, marks: [] }]);
    }
  });
});

describe('whoever dies between two requests', () => {
  test('of a beginning leaves links, or a mark by which they are found and given back', async () => {
    for (let nth = 1; ; nth += 1) {
      const died = await dyingAt(nth, (dying) => dying.loads.begin(NAME, ONE, MANY));
      const { m, marks } = await now();
      if (m === 0) expect([nth, marks]).toEqual([nth, ['embedmill-load-job-one']]);
      await forgottenEnd();
      if (!died) break;
    }
  });

  test('of an end leaves links, or a mark by which they are found and given back', async () => {
    for (let nth = 1; ; nth += 1) {
      await store.loads.begin(NAME, ONE, MANY);
      await store.loads.begin(NAME, TWO, MANY);
      await store.loads.end(NAME, ONE);
      const died = await dyingAt(nth, (dying) => dying.loads.end(NAME, TWO));
      const { m, marks } = await now();
      if (m === 0) expect([nth, marks.length]).toEqual([nth, 2]);
      await forgottenEnd();
      if (!died) break;
    }
  });

  /** Ends loads whose jobs have ended, as the next process does. */
  async function forgottenEnd(): Promise<void> {
    const next = await opened();
    for (const { collection, job } of await next.loads.list()) await next.loads.end(collection, job);
    expect(await now()).toEqual({ m: 16, payloadM: undefined, marks: [] });
  }
});

/** All interleavings of this many turns of one with this many of another. */
function orders(a: number, b: number): string[] {
  if (a === 0 || b === 0) return ['a'.repeat(a) + 'b'.repeat(b)];
  return [...orders(a - 1, b).map((rest) => `a${rest}`), ...orders(a, b - 1).map((rest) => `b${rest}`)];
}

type Action = (loads: QdrantLoads) => Promise<unknown>;

/** Runs two actions whose calls to the server alternate by these turns; turns of a finished one are skipped. */
async function inTurns(turns: string, a: Action, b: Action): Promise<void> {
  const actions = { a: new HeldAction(a), b: new HeldAction(b) };
  for (const turn of turns) await actions[turn as 'a' | 'b'].go();
  await Promise.all([actions.a.finish(), actions.b.finish()]);
}

/** Holds each call to the server until it is released. */
class HeldAction {
  readonly #over: Promise<unknown>;
  #isOver = false;
  #held: (() => void) | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(action: Action) {
    const { url } = fake;
    const client = new LeanClient({
      url,
      headers: {},
      timeout: 5000,
      client: { url, checkCompatibility: false },
    });
    const connection = new QdrantConnection({ prompt: client, patient: client }, fake.url, undefined);
    const held = {
      info: async (name: string) => this.#hold().then(() => connection.info(name)),
      infos: async () => this.#hold().then(() => connection.infos()),
      send: async <T>(name: string | undefined, send: (client: LeanClient) => Promise<T>) =>
        this.#hold().then(() => connection.send(name, send)),
    };
    this.#over = action(new QdrantLoads(held, MANY)).finally(() => {
      this.#isOver = true;
      this.#changed.resolve();
    });
  }

  /** Resolves once the call has been answered and the next one is held. */
  async go(): Promise<void> {
    if (this.#isOver) return;
    if (this.#held === undefined) await this.#changed.promise;
    const call = this.#held;
    this.#held = undefined;
    this.#changed = Promise.withResolvers();
    call?.();
    await this.#changed.promise;
  }

  async finish(): Promise<void> {
    while (!this.#isOver) await this.go();
    await this.#over;
  }

  #hold(): Promise<void> {
    return new Promise((resolve) => {
      this.#held = resolve;
      this.#changed.resolve();
    });
  }
}
