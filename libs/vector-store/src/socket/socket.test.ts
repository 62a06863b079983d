import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbedmillError, profileSchema, type CollectionName } from '@embedmill/jobs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { documentOf, near } from '../conformance-documents.ts';
import type { ScoredPoint, StoredPoint, VectorSearch, VectorStore } from '../store.ts';
import { connectStore } from './connect-store.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import type { Response } from './messages.ts';
import { serveStore, type StoreHost } from './serve-store.ts';

const NAME = 'c' as CollectionName;
const SEARCH: VectorSearch = { vector: near(new Float32Array([1, 2])), limit: 1, offset: 0 };

let folder: string;
let path: string;
const release: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-socket-'));
  path = join(folder, 'store.sock');
});
afterEach(async () => {
  for (const action of release.splice(0).toReversed()) await action();
  await rm(folder, { recursive: true });
});

async function serve(store: Partial<VectorStore>): Promise<StoreHost> {
  const host = await serveStore(store as VectorStore, path);
  release.push(() => host.close());
  return host;
}

function client(connectTimeout?: number): VectorStore {
  const store = connectStore(path, connectTimeout === undefined ? {} : { connectTimeout });
  release.push(() => store.close());
  return store;
}

/** Starts a process that serves a zvec store on the socket; resolves once it listens. */
async function storeProcess(): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'store-process.fixture.ts'), [join(folder, 'vectors'), path]);
  release.push(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

describe('a store behind a socket', () => {
  test('only its user may connect', async () => {
    await serve({});
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('errors arrive with their code, details and the time to wait', async () => {
    const error = new EmbedmillError('invalid_filter', 'not so', {
      details: [{ path: 'a', message: 'b' }],
      retryAfter: 7,
    });
    await serve({ search: () => Promise.reject(error) });
    const caught: unknown = await client()
      .search(NAME, SEARCH)
      .catch((thrown: unknown) => thrown);
    expect(caught).toBeInstanceOf(EmbedmillError);
    expect(caught).toMatchObject({
      code: 'invalid_filter',
      message: 'not so',
      details: error.details,
      retryAfter: 7,
    });
  });

  test('an error outside the catalogue arrives as internal', async () => {
    await serve({ ping: () => Promise.reject(new TypeError('oh')) });
    await expect(client().ping()).rejects.toMatchObject({ code: 'internal', message: 'oh' });
  });

  test('a slow call holds up no other', async () => {
    const { promise, resolve } = Promise.withResolvers<ScoredPoint[]>();
    await serve({ search: () => promise, countPoints: () => Promise.resolve(5) });
    const store = client();
    const slow = store.search(NAME, SEARCH);
    expect(await store.countPoints(NAME)).toBe(5);
    resolve([]);
    expect(await slow).toEqual([]);
  });

  test('a flood of calls is answered to the last one, with few running at once', async () => {
    let running = 0;
    let most = 0;
    await serve({
      countPoints: async () => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        return running--;
      },
    });
    const store = client();
    const counts = await Promise.all(Array.from({ length: 2000 }, () => store.countPoints(NAME)));
    expect(counts.length).toBe(2000);
    expect(most).toBeLessThanOrEqual(64);
  });

  const MEGABYTE = 1024 * 1024;
  const large = (id: string, megabytes = 1) =>
    documentOf(NAME, id, { vectors: [[1, 2]], metadata: { note: 'x'.repeat(megabytes * MEGABYTE) } });

  test('long answers come in messages of a bounded size, and whole', async () => {
    const points = Array.from({ length: 20 }, (_, n) => large(`d${n}`).points).flat();
    const hits = points.map(({ id, payload }, n) => ({ id, score: n / 100, payload }));
    await serve({
      scanPoints: () => Promise.resolve(points as StoredPoint[]),
      search: () => Promise.resolve(hits),
    });
    const store = client();
    expect(await store.search(NAME, SEARCH)).toEqual(hits);
    expect((await store.scanPoints(NAME, { limit: 20 })).map(({ id, payload }) => ({ id, payload }))).toEqual(
      points.map(({ id, payload }) => ({ id, payload })),
    );
    const socket = connect(path);
    release.push(() => socket.destroy());
    socket.write(encodeFrame({ id: 1, method: 'scanPoints', args: [NAME, { limit: 20 }] }));
    const sizes: number[] = [];
    const received = new FrameReader();
    for (let ended = false; !ended;) {
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      for (const response of received.push(bytes) as Response[]) {
        sizes.push(encodeFrame(response).length);
        ended ||= 'result' in response;
      }
    }
    expect(sizes.length).toBeGreaterThan(3);
    expect(Math.max(...sizes)).toBeLessThan(9 * MEGABYTE);
  });

  test('long writes go in messages of a bounded size, and what was overtaken in any of them is told', async () => {
    const writes: number[] = [];
    await serve({
      replaceDocuments: (_name, documents) => {
        writes.push(documents.length);
        return Promise.resolve(documents.slice(0, 1).map(({ tenant, id }) => ({ tenant, id })));
      },
    });
    const documents = Array.from({ length: 20 }, (_, n) => large(`d${n}`, n === 3 ? 12 : 1));
    const overtaken = await client().replaceDocuments(NAME, documents);
    expect(writes.reduce((sum, count) => sum + count, 0)).toBe(20);
    expect(Math.max(...writes)).toBeLessThanOrEqual(8);
    expect(overtaken).toHaveLength(writes.length);
    expect(await client().replaceDocuments(NAME, [])).toEqual([]);
  });

  test('closing the host answers what has been asked, and removes the socket', async () => {
    const { promise, resolve } = Promise.withResolvers<ScoredPoint[]>();
    const search = vi.fn(() => promise);
    const host = await serve({ search });
    const asked = client().search(NAME, SEARCH);
    await expect.poll(() => search.mock.calls).toHaveLength(1);
    const closed = host.close();
    resolve([]);
    expect(await asked).toEqual([]);
    await closed;
    expect(existsSync(path)).toBe(false);
  });

  test('a connection that sends nonsense is dropped; others go on', async () => {
    await serve({ countPoints: () => Promise.resolve(5) });
    const store = client();
    expect(await store.countPoints(NAME)).toBe(5);
    const socket = connect(path);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
    expect(await store.countPoints(NAME)).toBe(5);
  });

  test('a call the store does not have is refused', async () => {
    await serve({ close: () => Promise.reject(new Error('must not be called')) });
    const store = connectStore(path) as unknown as { search: (...args: unknown[]) => Promise<unknown> };
    release.push(() => (store as unknown as VectorStore).close());
    await expect(store.search('c', SEARCH)).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('a client whose store goes away', () => {
  test('without a store, calls fail in time with store_unavailable', async () => {
    // No store appears: without a limit, it would wait forever.
    await expect(client(300).ping()).rejects.toMatchObject({ code: 'store_unavailable', retryAfter: 1 });
  });

  test('a call made before the store listens is answered when it does', async () => {
    const count = client(10_000).countPoints(NAME);
    await serve({ countPoints: () => Promise.resolve(5) });
    expect(await count).toBe(5);
  });

  test('what waits for an answer when the process is killed is rejected, and later calls reach the next process', async () => {
    const first = await storeProcess();
    const store = client(10_000);
    await store.createCollection({
      name: NAME,
      dims: 2,
      vector: 'dense',
      createdAt: '2026-01-01T00:00:00.000Z',
      profile: profileSchema.parse({}),
    });
    process.kill(first.pid ?? 0, 'SIGSTOP');
    const asked = [store.countPoints(NAME), store.search(NAME, SEARCH), store.ping()];
    const outcomes = Promise.allSettled(asked);
    await kill(first);
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'store_unavailable', retryAfter: 1 },
      });
    }
    expect(existsSync(path)).toBe(true);
    await storeProcess();
    expect(await store.countPoints(NAME)).toBe(0);
    expect((await store.listCollections()).map((collection) => collection.name)).toEqual([NAME]);
  });

  test('a connection that breaks in the middle of an answer rejects the call', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.once('data', () => socket.end(Buffer.from([100, 0, 0, 0, 1, 2, 3])));
    });
    release.push(() => new Promise((resolve) => server.close(resolve)));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await expect(client().ping()).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test('after closing, calls are refused at once', async () => {
    await serve({ ping: () => Promise.resolve() });
    const store = client();
    await store.ping();
    await store.close();
    await expect(store.ping()).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});

describe('the place of the socket', () => {
  test('a second host is told that the first one is there', async () => {
    await serve({ ping: () => Promise.resolve() });
    await expect(serve({})).rejects.toMatchObject({ code: 'store_in_use' });
    await expect(client().ping()).resolves.toBeUndefined();
  });

  test('a file that is not a socket is left untouched', async () => {
    await writeFile(path, 'precious');
    await expect(serve({})).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(existsSync(path)).toBe(true);
  });

  test('a path that is too long is named, not cut off', async () => {
    const long = join(folder, 'x'.repeat(100));
    await expect(serveStore({} as VectorStore, long)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(() => connectStore(long)).toThrow(expect.objectContaining({ code: 'store_unavailable' }));
  });

  test('a folder that is missing is an error, not a crash', async () => {
    path = join(folder, 'none', 'store.sock');
    await expect(serve({})).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
