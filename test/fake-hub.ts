import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODEL = fileURLToPath(new URL('../models/all-MiniLM-L6-v2', import.meta.url));
const REVISION = '0123456789abcdef0123456789abcdef01234567';
const FILES: Record<string, string> = {
  [`/acme/tiny/resolve/${REVISION}/model.onnx`]: join(MODEL, 'model_int8.onnx'),
  [`/acme/tiny/resolve/${REVISION}/tokenizer.json`]: join(MODEL, 'tokenizer.json'),
  // Other files of the model: one with the same vectors, one with different vectors, one that is not a model.
  [`/acme/tiny/resolve/${REVISION}/onnx/same.onnx`]: join(MODEL, 'model_int8.onnx'),
  [`/acme/tiny/resolve/${REVISION}/onnx/other.onnx`]: join(MODEL, '../static-minilm-256/model.onnx'),
  [`/acme/tiny/resolve/${REVISION}/onnx/broken.onnx`]: join(MODEL, 'config.json'),
};
/** The entry of models.json for its model. */
export const HUB_ENTRY = {
  name: 'tiny',
  dims: 384,
  pooling: 'mean',
  maxTokens: 256,
  license: 'Apache-2.0',
  source: { kind: 'hub', repository: 'acme/tiny', revision: REVISION },
  model: { path: 'model.onnx' },
};

/** Starts a fake hub, which serves the bundled model as a repository once it is up. */
export async function startFakeHub() {
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
