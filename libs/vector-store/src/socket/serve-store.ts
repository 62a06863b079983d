import { EmbedmillError, type Collection, type CollectionName, type DenseVector } from '@embedmill/jobs';
import { once } from 'node:events';
import { lstat, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { groups } from '../groups.ts';
import type { StoredPoint, VectorStore } from '../store.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import {
  checkSocketPath,
  errorMessage,
  MESSAGE_BYTES,
  METHODS,
  type Request,
  type Response,
} from './messages.ts';
import {
  cutHits,
  cutPoints,
  packFound,
  packPoints,
  packPointVectors,
  packRows,
  unpackAdditions,
  unpackDocuments,
  unpackKeys,
  type PackedAdditions,
  type PackedDocuments,
  type PackedHits,
  type PackedPoints,
  type PackedPointVectors,
} from './packing.ts';

/**
 * The maximum number of concurrent requests per connection; further ones are read once one has been answered
 * (backpressure).
 */
const MOST_RUNNING = 64;
/** The number of points whose vectors are in one message. */
const VECTORS_AT_ONCE = 512;

export interface StoreHost {
  /** Answers pending calls, accepts no more, and removes the socket. The store stays open. */
  close(): Promise<void>;
}

/**
 * Lets other processes of this user call a store through a Unix domain socket. Resolves once it listens.
 *
 * @throws EmbedmillError `store_in_use` if another process listens there, `store_unavailable` if the socket cannot be
 *   created.
 */
export async function serveStore(store: VectorStore, socketPath: string): Promise<StoreHost> {
  checkSocketPath(socketPath);
  await removeStale(socketPath);
  const connections = new Set<Connection>();
  const server = createServer((socket) => {
    const connection = new Connection(store, socket);
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
  });
  await listen(server, socketPath);
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.all([...connections].map((connection) => connection.end()));
      await closed;
    },
  };
}

/** One client. Reads requests, runs them concurrently, and answers each once it is done, in any order. */
class Connection {
  readonly #store: VectorStore;
  readonly #socket: Socket;
  readonly #frames = new FrameReader();
  readonly #running = new Set<Promise<void>>();
  readonly #asked: Request[] = [];
  #ending = false;

  constructor(store: VectorStore, socket: Socket) {
    this.#store = store;
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    // The client is gone, or its answer cannot be delivered: 'close' follows.
    socket.on('error', () => undefined);
  }

  async end(): Promise<void> {
    this.#ending = true;
    this.#socket.pause();
    while (this.#running.size > 0) await Promise.all(this.#running);
    await new Promise<void>((resolve) => {
      if (this.#socket.destroyed) return resolve();
      this.#socket.once('close', () => resolve());
      this.#socket.end(() => this.#socket.destroy());
    });
  }

  #receive(bytes: Buffer): void {
    let requests: unknown[];
    try {
      requests = this.#frames.push(bytes);
    } catch {
      // The start of the next request is no longer known.
      this.#socket.destroy();
      return;
    }
    this.#asked.push(...(requests as Request[]));
    this.#goOn();
  }

  /** Starts as many requests as allowed, and continues reading once none is left to start. */
  #goOn(): void {
    while (this.#running.size < MOST_RUNNING) {
      const request = this.#asked.shift();
      if (request === undefined) break;
      const running = this.#answer(request).finally(() => {
        this.#running.delete(running);
        this.#goOn();
      });
      this.#running.add(running);
    }
    const full = this.#running.size >= MOST_RUNNING || this.#socket.writableNeedDrain;
    if (full || this.#ending) this.#socket.pause();
    else this.#socket.resume();
  }

  async #answer(request: Request): Promise<void> {
    const { id } = request;
    let frame: Buffer;
    try {
      const parts = await partsOf(this.#store, request);
      if (parts === undefined) {
        const result = await call(this.#store, request);
        frame = encodeFrame({ id, result } satisfies Response);
      } else {
        for (const part of parts) await this.#send(encodeFrame({ id, part } satisfies Response));
        frame = encodeFrame({ id, result: undefined } satisfies Response);
      }
    } catch (thrown) {
      frame = encodeFrame({ id, error: errorMessage(thrown) } satisfies Response);
    }
    await this.#send(frame);
  }

  /** No more requests are read from a client until it reads its answers (backpressure). */
  async #send(frame: Buffer): Promise<void> {
    if (this.#socket.destroyed || this.#socket.write(frame)) return;
    this.#socket.pause();
    await new Promise<void>((resolve) => {
      const goOn = (): void => {
        this.#socket.off('drain', goOn).off('close', goOn);
        resolve();
      };
      this.#socket.on('drain', goOn).on('close', goOn);
    });
    this.#goOn();
  }
}

/** The parts of a long answer; undefined for all other calls. */
async function partsOf(
  store: VectorStore,
  { method, args }: Request,
): Promise<Iterable<PackedPoints | PackedPointVectors | PackedHits> | undefined> {
  switch (method) {
    case 'search':
      return cutHits(await store.search(...(args as Parameters<VectorStore['search']>)), MESSAGE_BYTES);
    case 'getPoints':
      return packed(await store.getPoints(...(args as Parameters<VectorStore['getPoints']>)));
    case 'getVectors': {
      const found = await store.getVectors(...(args as Parameters<VectorStore['getVectors']>));
      const points = [...found].map(([id, vectors]) => ({ id, ...vectors }));
      return groups(points, VECTORS_AT_ONCE).map((some) => packPointVectors(some));
    }
    case 'scanPoints':
      return packed(await store.scanPoints(...(args as Parameters<VectorStore['scanPoints']>)));
    default:
      return undefined;
  }
}

function* packed(points: readonly StoredPoint[]): Generator<PackedPoints> {
  for (const some of cutPoints(points, MESSAGE_BYTES)) yield packPoints(some);
}

async function call(store: VectorStore, { method, args }: Request): Promise<unknown> {
  if (!METHODS.includes(method))
    throw new EmbedmillError('store_rejected', `the store has no call "${String(method)}"`);
  switch (method) {
    case 'replaceDocuments': {
      const [name, documents, known] = args as [CollectionName, PackedDocuments, Collection | undefined];
      return store.replaceDocuments(name, unpackDocuments(documents), known);
    }
    case 'findDocuments': {
      const [name, keys] = args as [CollectionName, string];
      return packFound(await store.findDocuments(name, unpackKeys(keys)));
    }
    case 'getDense':
      return packRows(await store.getDense(...(args as Parameters<VectorStore['getDense']>)));
    case 'maxSimilarities':
      return packRows(await store.maxSimilarities(...(args as Parameters<VectorStore['maxSimilarities']>)));
    case 'addVectors': {
      const [name, vectors, vector] = args as [CollectionName, PackedAdditions, DenseVector | undefined];
      return store.addVectors(name, unpackAdditions(vectors), vector);
    }
    default: {
      const action = store[method] as (...args: unknown[]) => Promise<unknown>;
      return action.apply(store, args);
    }
  }
}

async function listen(server: Server, path: string): Promise<void> {
  try {
    const listening = once(server, 'listening');
    // The socket is created with the current umask, so that nobody else can connect, not even for an instant.
    const mask = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(mask);
    }
    await listening;
  } catch (thrown) {
    throw new EmbedmillError(
      'store_unavailable',
      `the store's socket ${path} cannot be created; does its folder exist?`,
      {
        cause: thrown,
      },
    );
  }
  // A connection that could not be accepted; the client tries again.
  server.on('error', () => undefined);
}

/** Removes the socket that a killed process left. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new EmbedmillError('store_unavailable', `${path} exists but is not a socket; move it away`);
  }
  if (await isAnswered(path)) {
    throw new EmbedmillError(
      'store_in_use',
      `another process serves a store on ${path}; stop it, or use another data folder`,
    );
  }
  await rm(path, { force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const settle = (answered: boolean) => {
      probe.destroy();
      resolve(answered);
    };
    probe.once('connect', () => settle(true));
    probe.once('error', (error: NodeJS.ErrnoException) =>
      settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}
