import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Hit, Job } from '@embedmill/jobs';
import { Embedmill, uniqueName } from './embedmill.ts';

const MODEL = fileURLToPath(new URL('../models/all-MiniLM-L6-v2', import.meta.url));
const REVISION = '0123456789abcdef0123456789abcdef01234567';
const FILES: Record<string, string> = {
  [`/acme/tiny/resolve/${REVISION}/model.onnx`]: join(MODEL, 'model_int8.onnx'),
  [`/acme/tiny/resolve/${REVISION}/tokenizer.json`]: join(MODEL, 'tokenizer.json'),
};

/** A fake hub: serves the bundled model as a repository's, once it is up. */
async function startFakeHub() {
  const hub = { up: false, url: '', close: () => server.close() };
  const server = createServer((request, response) => {
    const file = FILES[request.url ?? ''];
    if (!hub.up) return void response.writeHead(503, { 'retry-after': '0' }).end();
    if (file === undefined) return void response.writeHead(404).end();
    const { size } = statSync(file);
    response.writeHead(200, { 'content-length': size, etag: '"1"' });
    if (request.method === 'HEAD') response.end();
    else createReadStream(file).pipe(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return hub;
}

test('a job whose model the hub does not give yet says so, waits, and goes on when it does', async () => {
  const hub = await startFakeHub();
  const models = await mkdtemp(join(tmpdir(), 'embedmill-models-'));
  const source = { kind: 'hub', repository: 'acme/tiny', revision: REVISION };
  const facts = { dims: 384, pooling: 'mean', maxTokens: 256, license: 'Apache-2.0' };
  const entry = { name: 'tiny', source, ...facts, model: { path: 'model.onnx' } };
  await writeFile(join(models, 'models.json'), JSON.stringify([entry]));
  let mill: Embedmill | undefined;
  const name = uniqueName('hub');
  try {
    const running = await Embedmill.up({ env: { EMBEDMILL_MODELS_DIR: models, EMBEDMILL_HUB_URL: hub.url } });
    mill = running;
    await running.json('/api/v1/collections', { name, profile: { model: 'tiny' } });
    const job = await running.submit(name, '{"id":"a","text":"a boat on the river"}\n');
    await running.until('the job says what it waits for', async () => {
      const { waitingFor } = await running.json<Job>(`/api/v1/jobs/${job.id}`);
      return waitingFor?.code === 'model_unavailable';
    });
    hub.up = true;
    expect(await running.finished(job)).toMatchObject({ state: 'completed', stored: 1, waitingFor: null });
    const { hits } = await running.json<{ hits: Hit[] }>(`/api/v1/collections/${name}/search`, {
      query: 'a ship',
    });
    expect(hits[0]?.id).toBe('a');
  } finally {
    await mill?.call(`/api/v1/collections/${name}`, { method: 'DELETE' }).catch(() => undefined);
    await mill?.stop();
    hub.close();
    await rm(models, { recursive: true, force: true });
  }
});
