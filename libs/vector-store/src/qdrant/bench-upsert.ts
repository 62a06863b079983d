/**
 * CPU of a writer for each point that it sends to Qdrant, by how vectors are written: `node bench-upsert.ts`.
 * The server is a process of its own that takes everything and keeps nothing.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { shortestFloats } from '@embedmill/jobs';
import { QdrantClient } from '@qdrant/js-client-rest';

const DIMS = 384;
const POINTS = 256;
const ROUNDS = 60;
const WARM_UP = 10;

const SERVER = `
  const answer = '{"result":{"operation_id":1,"status":"completed"},"status":"ok","time":0}';
  const server = require('node:http').createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(answer));
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

function unitVector(): Float32Array {
  const vector = Float32Array.from({ length: DIMS }, () => Math.random() * 2 - 1);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

const points = Array.from({ length: POINTS }, (_, n) => ({
  id: randomUUID(),
  dense: unitVector(),
  payload: { document_id: `d${n}`, chunk_index: 0, text: 'word '.repeat(160), metadata: { year: 2020 } },
}));

const server = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
const [port] = (await once(server.stdout, 'data')) as [Buffer];
const client = new QdrantClient({ host: '127.0.0.1', port: Number(port), checkCompatibility: false });
for (const [name, numbersOf] of [
  ['doubles', (vector: Float32Array) => Array.from(vector)],
  ['fewest digits', shortestFloats],
] as const) {
  let before = process.cpuUsage();
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    if (round === 0) before = process.cpuUsage();
    const sent = points.map(({ id, dense, payload }) => ({
      id,
      vector: { dense: numbersOf(dense) },
      payload,
    }));
    await client.upsert('bench', { wait: true, points: sent });
  }
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${name}: ${((user + system) / ROUNDS / POINTS).toFixed(1)} µs of CPU a point\n`);
}
server.kill();
