import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { apiKeysSchema, isApiKey } from '@embedmill/jobs';
import { runCommandLine } from '../command-line.ts';
import { FakeApi } from '../testing/fake-api.ts';
import { Interruption } from '../stack/interruption.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-keys-'));
  file = join(folder, 'keys.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(args: string[], environment: NodeJS.ProcessEnv = {}) {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({ write: (text: string) => (written[name] += text) });
  const code = await runCommandLine(args, {
    out: stream('out'),
    err: stream('err'),
    interruption: new Interruption(),
    environment: { EMBEDMILL_DATA_DIR: folder, ...environment },
  });
  return { code, ...written };
}

const create = (...args: string[]) => run(['keys', 'create', ...args]);
const keysIn = () => apiKeysSchema.parse(JSON.parse(readFileSync(file, 'utf8')));

test('a key goes to standard output alone, and its hash to the file', async () => {
  const { code, out, err } = await create(
    ...['--name', 'acme app', '--scopes', 'submit, search', '--tenant', 'acme', '--file', file],
    ...['--collections', 'docs', '--rate', '20', '--concurrency', '4', '--expires', '2030-01-31'],
  );
  expect(code).toBe(0);
  expect(out).toMatch(/^em_\S+\n$/);
  expect(err).not.toContain(out.trim());
  expect(readFileSync(file, 'utf8')).not.toContain(out.trim().slice(16));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const [entry] = keysIn();
  expect(entry).toMatchObject({
    name: 'acme app',
    scopes: ['submit', 'search'],
    tenant: 'acme',
    collections: ['docs'],
    requestsPerSecond: 20,
    concurrency: 4,
    expires: '2030-01-31T23:59:59.999Z',
  });
  expect(isApiKey(out.trim(), entry?.hash ?? '')).toBe(true);
});

test('keys are added to those that are there; without a file the entry is shown', async () => {
  for (const name of ['one', 'two']) await create('--name', name, '--scopes', 'admin', '--file', file);
  expect(keysIn().map(({ name }) => name)).toEqual(['one', 'two']);
  const shown = await run(['keys', 'create', '--name', 'three', '--scopes', 'admin', '--json']);
  expect(JSON.parse(shown.out)).toMatchObject({ key: expect.stringMatching(/^em_/), file: null });
  expect((await create('--name', 'four', '--scopes', 'search')).err).toContain('"hash":"sha256:');
});

test('who may read the file is as it was, or as it is said', async () => {
  await create('--name', 'one', '--scopes', 'admin', '--file', file, '--mode', '644');
  expect(statSync(file).mode & 0o777).toBe(0o644);
  await create('--name', 'two', '--scopes', 'admin', '--file', file);
  expect(statSync(file).mode & 0o777).toBe(0o644);
});

test.each([
  [['--name', 'x', '--scopes', 'admin', '--mode', 'rw'], 2, '--mode'],
  [['--name', 'x', '--scopes', 'all'], 2, 'submit, search, admin'],
  [['--name', 'x', '--scopes', ','], 2, 'scopes'],
  [['--scopes', 'admin'], 2, '--name'],
  [['--name', 'x', '--scopes', 'admin', '--tenant', 'acme'], 2, 'an admin key cannot have a tenant'],
  [['--name', 'x', '--scopes', 'admin', '--expires', 'soon'], 2, '--expires'],
  [['--name', 'x', '--scopes', 'admin', '--on-server'], 2, 'leave out --file'],
  [['--name', 'x', '--scopes', 'admin', '--collections', 'No Such'], 2, 'collections'],
])('%j is refused', async (args, code, says) => {
  const refused = await create(...args, '--file', file);
  expect(refused.err).toContain(says);
  expect(refused).toMatchObject({ code, out: '' });
  expect(existsSync(file)).toBe(false);
});

test.each([['[{"name":"half'], ['{"name":"x"}'], ['[{"name":"x"}]']])(
  'a file with %s is left alone',
  async (text) => {
    writeFileSync(file, text);
    expect(await create('--name', 'x', '--scopes', 'admin', '--file', file)).toMatchObject({
      code: 1,
      out: '',
    });
    expect(readFileSync(file, 'utf8')).toBe(text);
  },
);

test('the same name is not given twice', async () => {
  await create('--name', 'x', '--scopes', 'admin', '--file', file);
  const again = await create('--name', 'x', '--scopes', 'admin', '--file', file);
  expect(again.code).toBe(1);
  expect(again.err).toContain('another key already has the name "x"');
});

test('commands carry the key: --api-key, else EMBEDMILL_KEY, else none', async () => {
  const api = await FakeApi.start();
  try {
    const environment = { EMBEDMILL_URL: api.url, EMBEDMILL_KEY: 'em_environment' };
    const documents = join(folder, 'documents.ndjson');
    writeFileSync(documents, '{"id":"a","text":"x"}\n');
    await run(['collections', 'create', 'c'], environment);
    await run(['submit', documents, '-c', 'c'], environment);
    expect([...api.authorizations]).toEqual(['Bearer em_environment']);
    await run(['jobs', '--api-key', 'em_option'], environment);
    await run(['jobs'], { EMBEDMILL_URL: api.url });
    expect([...api.authorizations]).toEqual(['Bearer em_environment', 'Bearer em_option', undefined]);
  } finally {
    await api.stop();
  }
});
