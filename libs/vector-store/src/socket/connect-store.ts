import { EmbedmillError, type PointId } from '@embedmill/jobs';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { groups, groupsOfBytes } from '../groups.ts';
import type { DocumentKey, PointPayload, VectorAddition, VectorStore } from '../store.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import {
  checkSocketPath,
  errorOf,
  MESSAGE_BYTES,
  type Method,
  type Request,
  type Response,
} from './messages.ts';
import {
  cutDocuments,
  packAdditions,
  packDocuments,
  packKeys,
  unpackFound,
  unpackHits,
  unpackPoints,
  unpackPointVectors,
  unpackRows,
  type PackedHits,
  type PackedPoints,
  type PackedPointVectors,
  type PackedRows,
} from './packing.ts';

/** The number of payloads per request: few enough for a frame, however long the texts are. */
const PAYLOADS_AT_ONCE = 256;

export interface ConnectOptions {
  /** How long a call waits for a store that is not listening, in milliseconds. */
  connectTimeout?: number;
}

/**
 * A client of a store that another process serves with serveStore. Connects on the first call.
 *
 * If the connection breaks, pending calls are rejected with `store_unavailable`: it is unknown whether they were
 * executed, but all of them are idempotent. Later calls reconnect.
 */
export function connectStore(
  socketPath: string,
  { connectTimeout = 2000 }: ConnectOptions = {},
): VectorStore {
  checkSocketPath(socketPath);
  const client = new Client(socketPath, connectTimeout);
  const call = <M extends Method>(method: M, ...args: Parameters<VectorStore[M]>) =>
    client.call(method, args) as ReturnType<VectorStore[M]>;
  const points = async (method: Method, ...args: unknown[]) =>
    ((await client.callForParts(method, args)) as PackedPoints[]).flatMap(unpackPoints);
  const rows = async (method: Method, ...args: unknown[]) =>
    unpackRows((await client.call(method, args)) as PackedRows);
  return {
    description: `zvec, by the store process at ${socketPath}`,
    createCollection: (collection) => call('createCollection', collection),
    getCollection: (name) => call('getCollection', name),
    listCollections: () => call('listCollections'),
    addField: (name, field, type) => call('addField', name, field, type),
    updateCollection: (collection, known) => call('updateCollection', collection, known),
    deleteCollection: (name) => call('deleteCollection', name),
    listAliases: () => call('listAliases'),
    moveAlias: (name, collection) => call('moveAlias', name, collection),
    countPoints: (name, tenant) => call('countPoints', name, tenant),
    countLacking: (name, vector) => call('countLacking', name, vector),
    countDocuments: (name, by, tenant) => call('countDocuments', name, by, tenant),
    findDocuments: async (name, documents) =>
      unpackFound((await client.call('findDocuments', [name, packKeys(documents)])) as string),
    replaceDocuments: async (name, documents, known) => {
      const overtaken: DocumentKey[] = [];
      for (const some of orEmpty(cutDocuments(documents, MESSAGE_BYTES))) {
        const args = [name, packDocuments(some), known];
        overtaken.push(...((await client.call('replaceDocuments', args)) as DocumentKey[]));
      }
      return overtaken;
    },
    deleteDocuments: (name, documents, sequence, known) =>
      call('deleteDocuments', name, documents.map(keyOf), sequence, known),
    confirmDocuments: (name, versions, sequence) => call('confirmDocuments', name, versions, sequence),
    removeOvertaken: (name, documents, sequence) =>
      call('removeOvertaken', name, documents.map(keyOf), sequence),
    takeBack: (name, sequence, known) => call('takeBack', name, sequence, known),
    purgeTombstones: (name, below) => call('purgeTombstones', name, below),
    search: async (name, search) =>
      ((await client.callForParts('search', [name, search])) as PackedHits[]).flatMap(unpackHits),
    rank: (name, searches) => call('rank', name, searches),
    findNear: (name, ids, search) => call('findNear', name, ids, search),
    getPayloads: async (name, ids) => {
      const payloads = new Map<PointId, PointPayload>();
      for (const some of groups(ids, PAYLOADS_AT_ONCE))
        for (const [id, payload] of await call('getPayloads', name, some)) payloads.set(id, payload);
      return payloads;
    },
    getVectors: async (name, ids, tenant) => {
      const parts = (await client.callForParts('getVectors', [name, ids, tenant])) as PackedPointVectors[];
      return new Map(
        parts.flatMap(unpackPointVectors).map(({ id, dense, sparse }) => [id, { dense, sparse }]),
      );
    },
    getDense: (name, ids, tenant) => rows('getDense', name, ids, tenant),
    getPoints: (name, documents) => points('getPoints', name, documents.map(keyOf)),
    scanPoints: (name, scan) => points('scanPoints', name, scan),
    scanDocuments: (name, scan) => call('scanDocuments', name, scan),
    addVectors: async (name, vectors, vector) => {
      const bytesOf = ({ values }: VectorAddition): number => values.byteLength;
      for (const some of orEmpty(groupsOfBytes(vectors, MESSAGE_BYTES, bytesOf)))
        await client.call('addVectors', [name, packAdditions(some), vector]);
    },
    maxSimilarities: (name, ids, query, tenant) => rows('maxSimilarities', name, ids, query, tenant),
    termFactors: (name, scheme, terms) => call('termFactors', name, scheme, terms),
    ping: () => call('ping'),
    close: () => client.close(),
  };
}

/** Callers may pass whole documents; the store process needs only this part. */
const keyOf = ({ tenant, id }: DocumentKey): DocumentKey => ({ tenant, id });

/**
 * The store process is called even if there is nothing to write, because only it knows whether the collection exists.
 */
function orEmpty<T>(messages: T[][]): T[][] {
  return messages.length === 0 ? [[]] : messages;
}

interface Waiting {
  parts: unknown[];
  resolve(result: unknown): void;
  reject(error: EmbedmillError): void;
}

/** The connection: none → connecting → connected → none (broken) …, until closed. Calls are identified by number. */
class Client {
  readonly #path: string;
  readonly #connectTimeout: number;
  readonly #waiting = new Map<number, Waiting>();
  #connection: Promise<Socket> | undefined;
  #lastId = 0;
  #closed = false;

  constructor(path: string, connectTimeout: number) {
    this.#path = path;
    this.#connectTimeout = connectTimeout;
  }

  async call(method: Method, args: unknown[]): Promise<unknown> {
    return this.#ask(method, args, []);
  }

  /** Sends a call that is answered in parts. */
  async callForParts(method: Method, args: unknown[]): Promise<unknown[]> {
    const parts: unknown[] = [];
    await this.#ask(method, args, parts);
    return parts;
  }

  async #ask(method: Method, args: unknown[], parts: unknown[]): Promise<unknown> {
    if (this.#closed)
      throw new EmbedmillError('store_unavailable', 'the connection to the store has been closed');
    const id = ++this.#lastId;
    const frame = encodeFrame({ id, method, args } satisfies Request);
    const socket = await this.#connect();
    return new Promise((resolve, reject) => {
      if (socket.destroyed) return reject(this.#lost());
      this.#waiting.set(id, { parts, resolve, reject });
      socket.ref();
      socket.write(frame);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const socket = await this.#connection?.catch(() => undefined);
    if (socket === undefined || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.destroy();
    });
  }

  #connect(): Promise<Socket> {
    if (this.#connection === undefined) {
      const connection = this.#tryConnecting();
      this.#connection = connection;
      connection.then(
        (socket) => socket.once('close', () => this.#forget(connection)),
        () => this.#forget(connection),
      );
    }
    return this.#connection;
  }

  #forget(connection: Promise<Socket>): void {
    if (this.#connection === connection) this.#connection = undefined;
  }

  async #tryConnecting(): Promise<Socket> {
    const deadline = performance.now() + this.#connectTimeout;
    for (let wait = 10; ; wait = Math.min(wait * 2, 200)) {
      try {
        return this.#receiveFrom(await connected(this.#path));
      } catch (thrown) {
        if (this.#closed || performance.now() + wait > deadline) {
          throw new EmbedmillError(
            'store_unavailable',
            `no store responds at ${this.#path}; is \`embedmill up\` running?`,
            {
              cause: thrown,
              retryAfter: 1,
            },
          );
        }
        await setTimeout(wait);
      }
    }
  }

  #receiveFrom(socket: Socket): Socket {
    const frames = new FrameReader();
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const response of frames.push(bytes)) this.#settle(response as Response);
      } catch {
        socket.destroy();
      }
      if (this.#waiting.size === 0) socket.unref();
    });
    socket.on('error', () => undefined);
    socket.once('end', () => socket.destroy());
    // There is one connection at a time, so all pending calls wait for this one.
    socket.once('close', () => {
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const { reject } of waiting) reject(this.#lost());
    });
    // An idle connection does not keep the process alive.
    socket.unref();
    return socket;
  }

  #settle(response: Response): void {
    const waiting = this.#waiting.get(response.id);
    if ('part' in response) {
      waiting?.parts.push(response.part);
      return;
    }
    this.#waiting.delete(response.id);
    if ('error' in response) waiting?.reject(errorOf(response.error));
    else waiting?.resolve(response.result);
  }

  #lost(): EmbedmillError {
    return new EmbedmillError(
      'store_unavailable',
      `the connection to the store at ${this.#path} closed before it responded; try again`,
      { retryAfter: 1 },
    );
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
