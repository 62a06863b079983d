import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FakeCollection } from './fake-collection.ts';
import type { CollectionBody } from './fake-config.ts';
import { QdrantApi } from './openapi.ts';

/**
 * A fake for tests without a real Qdrant: an in-memory server that answers QdrantStore's requests like Qdrant 1.18. It
 * checks each request and each of its own responses against Qdrant's API description, and records mismatches in
 * `violations`, which must be empty at a test's end. Its responses are compared with those recorded from a real server.
 */
export interface FakeQdrant {
  url: string;
  violations: string[];
  /** Requests so far, as `PUT /collections/x/points`. */
  requests: FakeRequest[];
  /** What the next requests get instead of a response; `null` breaks the connection, `frozen` never answers. */
  failures: (Failure | 'frozen' | null)[];
  close(): Promise<void>;
}

export interface FakeRequest {
  method: string;
  path: string;
  bytes: number;
  body: unknown;
  apiKey: string | undefined;
}

export interface Failure {
  status: number;
  error: string;
  headers?: Record<string, string>;
}

interface Answer {
  status: number;
  body: unknown;
}

export interface FakeOptions {
  version?: string;
  /** Whether deleted points are forgotten at once, and do not count in any idf. */
  vacuums?: boolean;
  /** Whether it supports shard keys. */
  isDistributed?: boolean;
  /** By default any free port. */
  port?: number;
}

export async function startFakeQdrant({
  version = '1.18.3',
  vacuums = true,
  isDistributed = true,
  port = 0,
}: FakeOptions = {}): Promise<FakeQdrant> {
  const api = new QdrantApi();
  const collections = new Map<string, FakeCollection>();
  const aliases = new Map<string, string>();
  const fake = {
    url: '',
    violations: [] as string[],
    requests: [] as FakeRequest[],
    failures: [] as FakeQdrant['failures'],
  };

  const server = createServer((message, response) => {
    void readBody(message).then((text) => {
      const url = new URL(message.url ?? '/', 'http://fake');
      const method = (message.method ?? 'GET').toLowerCase();
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      const apiKey = message.headers['api-key']?.toString();
      fake.requests.push({ method, path: url.pathname, bytes: Buffer.byteLength(text), body, apiKey });
      const failure = fake.failures.shift();
      if (failure === 'frozen') return;
      if (failure === null) return void message.socket.destroy();
      if (failure !== undefined)
        return send(response, failure.status, failed(failure.error), failure.headers);

      const path = api.pathOf(url.pathname) ?? url.pathname;
      const complain = (what: string) => (error: string) => `${what} ${method} ${url.pathname}: ${error}`;
      const refused = api.requestErrors(path, method, url.searchParams, body);
      const answer = answerTo(
        { collections, aliases, version, vacuums, isDistributed },
        method,
        path,
        url.pathname.split('/'),
        body,
      );
      // Qdrant itself refuses a bad id, too: that is a regular response, not a fault of ours.
      if (answer.status !== 400 && answer.status !== 422)
        fake.violations.push(...refused.map(complain('request')));
      fake.violations.push(
        ...api.answerErrors(path, method, answer.status, answer.body).map(complain('answer to')),
      );
      send(response, answer.status, answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { ...fake, close: () => closeServer(server) };
}

interface AliasAction {
  create_alias?: { collection_name: string; alias_name: string };
  delete_alias?: { alias_name: string };
}

/** Applies the actions to the aliases atomically. */
function changeAliases(
  collections: ReadonlyMap<string, FakeCollection>,
  aliases: Map<string, string>,
  actions: readonly AliasAction[],
): Answer {
  const changed = new Map(aliases);
  for (const { create_alias: made, delete_alias: gone } of actions) {
    if (gone !== undefined) changed.delete(gone.alias_name);
    if (made === undefined) continue;
    const { collection_name: collection, alias_name: alias } = made;
    if (!collections.has(collection))
      return error(404, `Not found: Collection \`${collection}\` doesn't exist!`);
    if (collections.has(alias)) return error(409, `Wrong input: Collection \`${alias}\` already exists!`);
    changed.set(alias, collection);
  }
  aliases.clear();
  for (const [alias, collection] of changed) aliases.set(alias, collection);
  return ok(true);
}

interface Served extends Required<Omit<FakeOptions, 'port'>> {
  collections: Map<string, FakeCollection>;
  aliases: Map<string, string>;
}

function answerTo(
  { collections, aliases, version, vacuums, isDistributed }: Served,
  method: string,
  path: string,
  [, , name = '', , vector = '']: string[],
  body: unknown,
): Answer {
  const collection = collections.get(aliases.get(name) ?? name);
  switch (`${method} ${path}`) {
    case 'get /':
      return { status: 200, body: { title: 'qdrant - vector search engine', version, commit: 'fake' } };
    case 'get /cluster':
      return ok(isDistributed ? CLUSTER : { status: 'disabled' });
    case 'get /collections':
      return ok({ collections: [...collections.keys()].map((one) => ({ name: one })) });
    case 'get /aliases':
      return ok({ aliases: named([...aliases]) });
    case 'post /collections/aliases':
      return changeAliases(collections, aliases, (body as { actions: AliasAction[] }).actions);
    case 'get /collections/{collection_name}/aliases':
      return ok({ aliases: named([...aliases].filter(([, one]) => one === name)) });
    case 'put /collections/{collection_name}': {
      if (collection !== undefined) return error(409, `Wrong input: Collection \`${name}\` already exists!`);
      collections.set(name, new FakeCollection(body as CollectionBody, vacuums));
      return ok(true);
    }
    case 'delete /collections/{collection_name}':
      for (const [alias, one] of aliases) if (one === name) aliases.delete(alias);
      return ok(collections.delete(name));
  }
  if (collection === undefined) return error(404, `Not found: Collection \`${name}\` doesn't exist!`);
  const route = `${method} ${path}`;
  const wrong = collection.refusal(route, vector, body);
  if (wrong !== undefined) return error(wrong.status, wrong.error);
  const missing = collection.missing(route, body);
  return missing === undefined ? ok(collection.answer(route, vector, body)) : error(404, missing);
}

const CLUSTER = {
  status: 'enabled',
  peer_id: 1,
  peers: { 1: { uri: 'http://127.0.0.1:6335/' } },
  raft_info: { term: 1, commit: 1, pending_operations: 0, leader: 1, role: 'Leader', is_voter: true },
  consensus_thread_status: { consensus_thread_status: 'working', last_update: '2026-01-01T00:00:00Z' },
  message_send_failures: {},
};

const named = (aliases: [string, string][]) =>
  aliases.map(([alias_name, collection_name]) => ({ alias_name, collection_name }));

function ok(result: unknown): Answer {
  return { status: 200, body: { result, status: 'ok', time: 0 } };
}

function error(status: number, message: string): Answer {
  return { status, body: failed(message) };
}

function failed(message: string) {
  return { status: { error: message }, time: 0 };
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
