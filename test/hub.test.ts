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
import { Embedmill, runCli, uniqueName } from './embedmill.ts';

const MODEL = fileURLToPath(new URL('../models/all-MiniLM-L6-v2', import.meta.url));
const REVISION = '0123456789abcdef0123456789abcdef01234567';
const FILES: Record<string, string> = {
  [`/acme/tiny/resolve/${REVISION}/model.onnx`]: join(MODEL, 'model_int8.onnx'),
  [`/acme/tiny/resolve/${REVISION}/tokenizer.json`]: join(MODEL, 'tokenizer.json'),
  // Other files that the model comes in: one of the same vectors, one of others, one that is no model.
  [`/acme/tiny/resolve/${REVISION}/onnx/same.onnx`]: join(MODEL, 'model_int8.onnx'),
  [`/acme/tiny/resolve/${REVISION}/onnx/other.onnx`]: join(MODEL, '../static-minilm-256/model.onnx'),
  [`/acme/tiny/resolve/${REVISION}/onnx/broken.onnx`]: join(MODEL, 'config.json'),
};
const ENTRY = {
  name: 'tiny',
  dims: 384,
  pooling: 'mean',
  maxTokens: 256,
  license: 'Apache-2.0',
  source: { kind: 'hub', repository: 'acme/tiny', revision: REVISION },
  model: { path: 'model.onnx' },
};

/** A fake hub: serves the bundled model as a repository's, once it is up. */
async function startFakeHub() {
  const hub = { up: false, url: '', close: () => server.close() };
  const server = createServer((request, response) => {
    const file = FILES[request.url ?? ''];
    if (!hub.up) return void response.writeHead(503, { 'retry-after': '0' }).end();
    if (request.url === `/api/models/acme/tiny/tree/${REVISION}?recursive=true`) {
      const tree = Object.entries(FILES).map(([url, path]) => ({
        type: 'file',
        path: url.split(`${REVISION}/`)[1],
        size: statSync(path).size,
      }));
      return void response.writeHead(200).end(JSON.stringify(tree));
    }
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
  await writeFile(join(models, 'models.json'), JSON.stringify([ENTRY]));
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

test('a calibration gets what files the hub offers, and tells them apart by what they do', async () => {
  const hub = await startFakeHub();
  hub.up = true;
  const data = await mkdtemp(join(tmpdir(), 'embedmill-models-'));
  await writeFile(join(data, 'models.json'), JSON.stringify([ENTRY]));
  const env = { EMBEDMILL_MODELS_DIR: data, EMBEDMILL_HUB_URL: hub.url };
  const calibrate = [
    'bench',
    '--calibrate',
    '--data',
    data,
    '--models',
    'tiny',
    '--repeats',
    '1',
    '--seconds',
    '1',
  ];
  try {
    const all = await runCli(calibrate, { env });
    expect(all).toMatchObject({ code: 0 });
    expect(all.stderr).toMatch(
      /onnx\/other\.onnx: left out: its vectors differ|onnx\/other\.onnx: left out: .*256/,
    );
    expect(all.stderr).toMatch(/onnx\/broken\.onnx: left out: .*not a whole ONNX file/);
    expect(all.stderr).toMatch(/onnx\/same\.onnx, graph all.*tokens\/s/);
    const own = await runCli([...calibrate, '--files', 'nothing-else'], { env });
    expect(own.stderr).not.toContain('same.onnx');
    hub.up = false;
    const alone = await runCli(calibrate, { env });
    expect(alone).toMatchObject({ code: 0 });
    expect(alone.stderr).toContain('its own file alone is tried');
  } finally {
    hub.close();
    await rm(data, { recursive: true, force: true });
  }
});
