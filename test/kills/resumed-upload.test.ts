import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Embedmill, uniqueName } from '../embedmill.ts';

/** The command line uploads a large file to a server that is killed meanwhile. */
const DOCUMENTS = 2000;
const FILLER = 'f'.repeat(24_000);
const MB = 1024 * 1024;

let mill: Embedmill;
let folder: string;
let file: string;
let proxy: Server;
/** Bytes received from the client, and what to do once this many have come. */
let received = 0;
let cut: { at: number; act: () => void } | undefined;

beforeAll(async () => {
  mill = await Embedmill.up();
  folder = await mkdtemp(join(tmpdir(), 'embedmill-resumed-'));
  file = join(folder, 'documents.ndjson');
  const out = await open(file, 'w');
  for (let n = 0; n < DOCUMENTS; n += 1)
    await out.write(`${JSON.stringify({ id: `d${n}`, text: `text ${n}`, metadata: { filler: FILLER } })}\n`);
  await out.close();
  const { hostname, port } = new URL((await mill.state()).url);
  proxy = createServer((client) => {
    const server = connect(Number(port), hostname);
    client.on('data', (bytes) => {
      received += bytes.length;
      if (cut === undefined || received < cut.at) return;
      const { act } = cut;
      cut = undefined;
      act();
    });
    pass(client, server);
    pass(server, client);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
});
afterAll(async () => {
  proxy?.close();
  await mill?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Forwards data and its end. */
function pass(from: Socket, to: Socket): void {
  from.on('error', () => to.destroy()).on('close', () => to.destroy());
  from.pipe(to);
}

/** Submits the file through the proxy, to a collection or to a file. */
async function cli(...args: string[]): Promise<Record<string, unknown>> {
  received = 0;
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { code, stdout, stderr } = await mill.cli(...args, '--json', '--url', url);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const killApi = (pid: number) => () => void process.kill(pid, 'SIGKILL');

test('an API killed during an upload costs no more than the part in flight', async () => {
  const name = uniqueName('resumed');
  await mill.json('/api/v1/collections', { name });
  const { processes } = await mill.state();
  cut = { at: 24 * MB, act: killApi(processes.api) };
  const job = await cli('submit', file, '--collection', name, '--wait');
  expect(job).toMatchObject({ state: 'completed', documents: DOCUMENTS, stored: DOCUMENTS, failed: 0 });
  expect((await mill.state()).processes.api).not.toBe(processes.api);
  const bytes = DOCUMENTS * FILLER.length;
  expect(received).toBeGreaterThan(bytes + MB);
  expect(received).toBeLessThan(bytes + 20 * MB);
  expect(await mill.json('/v1/files')).toMatchObject({ data: [] });
  await mill.call(`/api/v1/collections/${name}`, { method: 'DELETE' });
});

test('the same holds for embedding to a file', async () => {
  const { processes } = await mill.state();
  cut = { at: 40 * MB, act: killApi(processes.api) };
  const to = join(folder, 'vectors.ndjson');
  const job = await cli('embed', file, '--to', to);
  expect(job).toMatchObject({ state: 'completed', documents: DOCUMENTS, stored: DOCUMENTS, failed: 0 });
  expect((await mill.state()).processes.api).not.toBe(processes.api);
  expect(received).toBeLessThan(DOCUMENTS * FILLER.length + 20 * MB);
});
