import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Embedmill, runCli, uniqueName } from './embedmill.ts';

/**
 * `embedmill mcp` over both transports, by the protocol's own client, with the bundled model and with keys of two
 * tenants.
 */
const BIN = fileURLToPath(new URL('../apps/cli/bin/embedmill.js', import.meta.url));
const BOOKS = [
  {
    id: 'moby-dick',
    title: 'Moby-Dick',
    text: 'A captain hunts a white whale across the oceans.',
    metadata: { year: 1851 },
  },
  { id: 'walden', text: 'A man lives by himself in the woods beside a pond.', metadata: { year: 1854 } },
  { id: 'emma', text: 'A young woman tries to find husbands for her friends.', metadata: { year: 1815 } },
];
const collection = uniqueName('mcp');
const keys: Record<'admin' | 'acme' | 'other', string> = {} as never;
const clients: Client[] = [];

let folder: string;
let mill: Embedmill;
let served: ChildProcess;
let mcpUrl: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-mcp-'));
  const file = join(folder, 'keys.json');
  const create = async (...args: string[]) =>
    (await runCli(['keys', 'create', '--file', file, ...args])).stdout.trim();
  keys.admin = await create('--name', 'admin', '--scopes', 'admin');
  for (const tenant of ['acme', 'other'] as const)
    keys[tenant] = await create('--name', tenant, '--scopes', 'submit,search', '--tenant', tenant);
  mill = await Embedmill.up({ env: { EMBEDMILL_API_KEYS_FILE: file } });
  const profile = { filterable: { year: 'integer' } };
  const created = await mill.call('/api/v1/collections', {
    method: 'POST',
    body: JSON.stringify({ name: collection, profile }),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keys.admin}` },
  });
  expect(created.status).toBe(201);
  served = spawn(process.execPath, [BIN, 'mcp', '--http', '0', '--json', '--data', mill.data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: served.stdout! }), 'line')) as [string];
  mcpUrl = (JSON.parse(line) as { url: string }).url;
});
afterAll(async () => {
  for (const client of clients) await client.close();
  if (served?.exitCode === null) {
    served.kill('SIGINT');
    await once(served, 'exit');
  }
  await mill?.stop();
  await rm(folder, { recursive: true, force: true });
});

type Who = keyof typeof keys | 'nobody';
const TRANSPORTS = {
  'standard input and output': async (who: Who) => {
    const env = {
      PATH: process.env['PATH'] ?? '',
      ...(who === 'nobody' ? {} : { EMBEDMILL_KEY: keys[who] }),
    };
    const args = [BIN, 'mcp', '--data', mill.data];
    return new StdioClientTransport({ command: process.execPath, args, env });
  },
  HTTP: async (who: Who) => {
    const headers = who === 'nobody' ? {} : { authorization: `Bearer ${keys[who]}` };
    return new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit: { headers } });
  },
};

async function agent(transport: keyof typeof TRANSPORTS, who: Who) {
  const client = new Client({ name: 'test', version: '1' });
  clients.push(client);
  // Its types are incompatible with exactOptionalPropertyTypes.
  await client.connect((await TRANSPORTS[transport](who)) as Parameters<Client['connect']>[0]);
  const call = async (name: string, args: object = {}) => {
    const result = await client.callTool({ name, arguments: { ...args } });
    const [{ text = '' } = {}] = result.content as { text?: string }[];
    return { found: result.structuredContent, text, isError: result.isError === true };
  };
  return { client, call };
}

interface Hits {
  hits: { id: string; score: number; title: string | null }[];
}
const idsOf = ({ found }: { found: unknown }) => (found as Hits).hits.map(({ id }) => id);

describe.each(Object.keys(TRANSPORTS) as (keyof typeof TRANSPORTS)[])('over %s', (transport) => {
  test('an agent submits texts, finds them, and reads one whole', async () => {
    const { client, call } = await agent(transport, 'acme');
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual([
      'fetch_document',
      'find_similar',
      'list_collections',
      'search',
      'submit_texts',
    ]);
    for (const { inputSchema, outputSchema, description } of tools)
      expect([inputSchema.type, outputSchema?.type, typeof description]).toEqual([
        'object',
        'object',
        'string',
      ]);

    const submitted = await call('submit_texts', { collection, documents: BOOKS });
    expect(submitted.found, submitted.text).toMatchObject({ state: 'completed', failures: [] });
    const { stored, unchanged } = submitted.found as { stored: number; unchanged: number };
    expect(stored + unchanged).toBe(3);

    const listed = await call('list_collections');
    expect(listed.found).toEqual({
      collections: [
        { name: collection, documents: 3, model: 'all-MiniLM-L6-v2', filterable: { year: 'integer' } },
      ],
    });
    const whales = await call('search', { collection, query: 'hunting a sea animal', limit: 2 });
    expect(idsOf(whales)).toHaveLength(2);
    expect(idsOf(whales)[0]).toBe('moby-dick');
    expect(whales.text).toMatch(/^1\. Moby-Dick \(moby-dick\), 0\.\d{3}\nA captain/);
    const old = await call('search', { collection, query: 'whales', filter: { field: 'year', lt: 1820 } });
    expect(idsOf(old)).toEqual(['emma']);
    const alike = await call('find_similar', {
      collection,
      like: [{ text: 'matchmaking' }],
      unlike: [{ id: 'walden' }],
    });
    expect(idsOf(alike)[0]).toBe('emma');
    expect((await call('fetch_document', { collection, id: 'walden' })).found).toEqual({
      id: 'walden',
      title: null,
      text: BOOKS[1]?.text,
      metadata: { year: 1854 },
    });
  });

  test('an error is an answer in the words of the catalogue', async () => {
    const { call } = await agent(transport, 'acme');
    const nowhere = await call('search', { collection: 'nowhere', query: 'x' });
    expect(nowhere).toMatchObject({ isError: true, found: undefined });
    expect(nowhere.text).toMatch(/^collection_not_found: there is no collection "nowhere"/);
    const field = await call('search', { collection, query: 'x', filter: { field: 'colour', eq: 'red' } });
    expect(field.text).toMatch(/^[a-z_]+: .*colour/);
    const gone = await call('fetch_document', { collection, id: 'gone' });
    expect(gone.text).toMatch(/^document_not_found: /);
    const shape = await call('search', { collection, query: 'x', limit: 0 });
    expect(shape).toMatchObject({ isError: true, text: expect.stringContaining('limit') });
    const unknown = await call('search', { collection, query: 'x', page: 2 });
    expect(unknown).toMatchObject({ isError: true, text: expect.stringContaining('page') });
  });

  test('it can do only what its key may do, and sees only its tenant’s data', async () => {
    const { call } = await agent(transport, 'other');
    expect((await call('list_collections')).found).toMatchObject({ collections: [{ documents: 0 }] });
    expect(idsOf(await call('search', { collection, query: 'a whale' }))).toEqual([]);
    expect((await call('fetch_document', { collection, id: 'emma' })).text).toMatch(/^document_not_found/);
    const foreign = await call('search', { collection, query: 'a whale', tenant: 'acme' });
    expect(foreign.text).toMatch(/^forbidden: /);
    const nobody = await agent(transport, 'nobody');
    expect((await nobody.call('list_collections')).text).toMatch(/^unauthenticated: /);
  });
});

/** The answer to a message with these headers. */
async function posted(headers: Record<string, string>, path = '/mcp', method = 'POST') {
  const sent = request(new URL(path, mcpUrl), {
    method,
    headers: { 'content-type': 'application/json', ...headers },
  });
  sent.end('{"jsonrpc":"2.0","id":1,"method":"ping"}');
  const [response] = await once(sent, 'response');
  response.resume();
  return (response as { statusCode: number }).statusCode;
}

test('by HTTP, pages of other sites get nothing, and there are no other routes', async () => {
  const accept = 'application/json, text/event-stream';
  const { host, origin } = new URL(mcpUrl);
  expect(await posted({ accept })).toBe(200);
  expect(await posted({ accept, origin })).toBe(200);
  expect(await posted({ accept, host: 'attacker.example' })).toBe(403);
  expect(await posted({ accept, host, origin: 'https://attacker.example' })).toBe(403);
  expect(await posted({ accept, origin: 'null' })).toBe(403);
  expect(await posted({ accept }, '/elsewhere')).toBe(404);
  expect(await posted({ accept }, '/mcp', 'GET')).toBe(405);
});
