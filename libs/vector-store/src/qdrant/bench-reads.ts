/**
 * Measures a client's CPU time for a page of 100 hits with payloads, with Qdrant's own client and with ours: `node
 * bench-reads.ts`. The server is a separate process that always returns the same response.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { QdrantClient } from '@qdrant/js-client-rest';
import { LeanClient } from './lean-client.ts';

const SEARCHES = 400;
const WARM_UP = 100;

const SERVER = `
  const payload = (n) => ({ document_id: 'd' + n, tenant: 'default', chunk_index: 0, chunk_count: 1, start: 0, end: 800,
    text: 'word '.repeat(160), title: null, image: null, timestamp: null, fingerprint: 'f'.repeat(64), sequence: 1,
    job_id: '00000000-0000-4000-8000-000000000000', metadata: { year: 2000 + n, tag: 'news', place: { lat: 52.5, lon: 13.4 } } });
  const points = Array.from({ length: 100 }, (_, n) =>
    ({ id: '00000000-0000-5000-8000-' + String(n).padStart(12, '0'), version: n, score: 1 / (n + 1), payload: payload(n) }));
  const answer = JSON.stringify({ result: { points }, status: 'ok', time: 0 });
  const server = require('node:http').createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(answer));
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

const server = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
const [port] = (await once(server.stdout, 'data')) as [Buffer];
const url = `http://127.0.0.1:${port.toString().trim()}`;
const options = { url, checkCompatibility: false, timeout: 5000 };
const query = Array.from({ length: 384 }, (_, n) => n / 1000);
for (const [name, client] of [
  ['@qdrant/js-client-rest', new QdrantClient(options)],
  ['ours', new LeanClient({ url, headers: {}, timeout: 5000, client: options })],
] as const) {
  let before = process.cpuUsage();
  for (let search = -WARM_UP; search < SEARCHES; search += 1) {
    if (search === 0) before = process.cpuUsage();
    await client.query('docs', { query, using: 'dense', limit: 100, with_payload: true });
  }
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${name}: ${((user + system) / SEARCHES / 1000).toFixed(2)} ms of CPU a search\n`);
}
server.kill();
