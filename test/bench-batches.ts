import { createReadStream } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import OpenAI from 'openai';
import { randomNumbers, sentence } from '../libs/tokenization/src/fake-texts.ts';
import { childrenOf, Embedmill } from './embedmill.ts';

/**
 * `npm run bench:batches`: one OpenAI batch of very many lines by the official client, with random kills of every process
 * (`--kills` of them, evenly over the batch): that each `custom_id` is answered exactly once, how fast against the same texts
 * as a job to a collection that nothing is done to (E1), and what is in memory meanwhile. `--lines 1000000` is the whole.
 */
const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '20000' },
    kills: { type: 'string', default: '10' },
    model: { type: 'string', default: 'all-MiniLM-L6-v2' },
    seed: { type: 'string', default: '5' },
  },
});
const [lines, kills] = [Number(values.lines), Number(values.kills)];
const { model } = values;
const LOOK_MS = 500;
const DAYS = '7d' as '24h';
const random = randomNumbers(Number(values.seed));
const texts = Array.from({ length: 5000 }, () => sentence(random));
/** Texts differ, so that none takes another's vector. */
const textOf = (n: number): string => `${n} ${texts[n % texts.length]}`;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const folder = await mkdtemp(join(tmpdir(), 'embedmill-batches-'));
const mill = await Embedmill.up({
  env: { EMBEDMILL_API_LOCK_SECONDS: '5', EMBEDMILL_WORKER_LOCK_SECONDS: '5' },
});
try {
  await mill.json('/v1/embeddings', { model, input: 'warm' });
  const e1 = await collectionRate();
  say(`E1: ${Math.round(e1)} documents a second`);
  const report = await batchUnderKills();
  const ofE1 = report.linesPerSecond / e1;
  const all = { lines, model, e1DocumentsPerSecond: e1, ofE1, ...report };
  process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
} finally {
  await mill.stop();
  await rm(folder, { recursive: true, force: true });
}

/** The same texts, or the first 20,000 of them, as a job to a collection. */
async function collectionRate(): Promise<number> {
  const documents = Math.min(lines, 20_000);
  const name = await mill.collection('e1', { model, chunking: { mode: 'document' } });
  const body = Array.from(
    { length: documents },
    (_, n) => `${JSON.stringify({ id: `d${n}`, text: textOf(n) })}\n`,
  );
  const job = await mill.finished(await mill.submit(name, body.join('')), 3600);
  return job.stored / job.seconds;
}

async function batchUnderKills(): Promise<Record<string, unknown> & { linesPerSecond: number }> {
  const path = join(folder, 'requests.jsonl');
  await writeRequests(path);
  const { url } = await mill.state();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 5, timeout: 3600_000 });
  const file = await client.files.create({ file: createReadStream(path), purpose: 'batch' });
  const begun = performance.now();
  const { id } = await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/embeddings',
    completion_window: DAYS,
  });
  const killed: string[] = [];
  const peaks = { workerMB: 0, apiMB: 0, redisMB: 0 };
  for (;;) {
    await setTimeout(LOOK_MS);
    const batch = await client.batches.retrieve(id).catch(() => undefined);
    await look(peaks);
    if (batch === undefined) continue;
    const { status, request_counts: counts } = batch;
    if (['completed', 'failed', 'expired', 'cancelled'].includes(status)) {
      const seconds = (performance.now() - begun) / 1000;
      say(`${status} after ${seconds.toFixed(0)} s, ${killed.length} kills`);
      const checked = await answersOf(client, batch.output_file_id ?? '');
      const linesPerSecond = lines / seconds;
      return { status, counts, killed, seconds, linesPerSecond, ...checked, peaks };
    }
    const done = (counts?.completed ?? 0) + (counts?.failed ?? 0);
    if (killed.length < kills && done > ((killed.length + 0.5) * lines) / kills) killed.push(await killOne());
  }
}

async function writeRequests(path: string): Promise<void> {
  const out = await open(path, 'w');
  for (let from = 0; from < lines; from += 5000) {
    const some = Array.from({ length: Math.min(5000, lines - from) }, (_, at) => {
      const n = from + at;
      const body = { model, input: textOf(n), encoding_format: 'base64' };
      return `${JSON.stringify({ custom_id: `r${n}`, method: 'POST', url: '/v1/embeddings', body })}\n`;
    });
    await out.appendFile(some.join(''));
  }
  await out.close();
}

/** Kills one process of all there are. */
async function killOne(): Promise<string> {
  const { processes } = await mill.state();
  const [engine] = await childrenOf(processes.worker);
  const victims = Object.entries({ ...processes, engine: engine ?? null }).filter(([, pid]) => pid !== null);
  const [name = '', pid] = victims[random(victims.length)] ?? [];
  if (typeof pid === 'number') process.kill(pid, 'SIGKILL');
  say(`killed the ${name}`);
  return name;
}

async function look(peaks: { workerMB: number; apiMB: number; redisMB: number }): Promise<void> {
  const state = await mill.state().catch(() => undefined);
  if (state === undefined) return;
  const { worker, api, redis } = state.processes;
  const engines = await childrenOf(worker);
  const of = async (pids: (number | null)[]) =>
    (await Promise.all(pids.map(residentMB))).reduce((sum, one) => sum + one, 0);
  peaks.workerMB = Math.max(peaks.workerMB, await of([worker, ...engines]));
  peaks.apiMB = Math.max(peaks.apiMB, await of([api]));
  peaks.redisMB = Math.max(peaks.redisMB, await of([redis]));
}

async function residentMB(pid: number | null): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
}

/** That each request is answered once: a bit for each. */
async function answersOf(
  client: OpenAI,
  file: string,
): Promise<{ answered: number; twice: number; missing: number }> {
  const seen = new Uint8Array(lines);
  let twice = 0;
  const { body } = await client.files.content(file);
  const input = Readable.fromWeb(body as never);
  for await (const line of createInterface({ input })) {
    const n = Number(/"custom_id":"r(\d+)"/.exec(line)?.[1]);
    if (seen[n] === 1) twice += 1;
    seen[n] = 1;
  }
  const answered = seen.reduce((sum, one) => sum + one, 0);
  return { answered, twice, missing: lines - answered };
}
