import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { randomNumbers, sentence } from '../libs/tokenization/src/fake-texts.ts';
import { BATCH_CLIENTS, type BatchClient } from './batch-clients.ts';
import { childrenOf, Embedmill } from './embedmill.ts';
import { MemoryLook } from './memory-look.ts';

/**
 * `npm run bench -- batches`: one OpenAI batch of very many lines by an official client (`--client node` or `python`),
 * with random kills of every process (`--kills` of them, spread evenly over the batch). It fails unless each
 * `custom_id` is answered exactly once, Redis stays below 100 MB, memory is flat, and the rate is at least 0.9 of E1:
 * the rate of the same texts as jobs to an undisturbed collection, before and after. `--lines 1000000` is the full
 * size.
 */
const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '20000' },
    kills: { type: 'string', default: '10' },
    model: { type: 'string', default: 'all-MiniLM-L6-v2' },
    seed: { type: 'string', default: '5' },
    client: { type: 'string', default: 'node' },
  },
});
const [lines, kills] = [Number(values.lines), Number(values.kills)];
const { model } = values;
const LOOK_MS = 500;
/** The thresholds of a run. */
const GOALS = { ofE1: 0.9, redisMB: 100, memoryGrowth: 1.25 };
const random = randomNumbers(Number(values.seed));
const texts = Array.from({ length: 5000 }, () => sentence(random));
/** Texts differ, so that none reuses another's vector. */
const textOf = (n: number): string => `${n} ${texts[n % texts.length]}`;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const folder = await mkdtemp(join(tmpdir(), 'embedmill-batches-'));
const mill = await Embedmill.up({
  env: { EMBEDMILL_API_LOCK_SECONDS: '5', EMBEDMILL_WORKER_LOCK_SECONDS: '5' },
});
try {
  const client = await BATCH_CLIENTS[values.client]?.();
  if (client === undefined) throw new Error(`--client is one of ${Object.keys(BATCH_CLIENTS).join(', ')}`);
  await mill.json('/v1/embeddings', { model, input: 'warm' });
  const before = await collectionRate('before');
  say(`E1 before: ${Math.round(before)} documents a second`);
  const report = await batchUnderKills(client);
  const after = await collectionRate('after');
  say(`E1 after: ${Math.round(after)} documents a second`);
  const e1 = (before + after) / 2;
  const all = {
    lines,
    model,
    client: values.client,
    e1: { before, after },
    ofE1: report.linesPerSecond / e1,
    ...report,
  };
  process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  const missed = [
    all.status === 'completed' ? '' : `the batch is ${all.status}`,
    all.missing + all.twice + all.strange === 0 ? '' : 'not each custom_id is answered exactly once',
    all.ofE1 >= GOALS.ofE1 ? '' : `${all.ofE1.toFixed(2)} of E1 is less than ${GOALS.ofE1}`,
    all.memory.redis.peakMB < GOALS.redisMB ? '' : `Redis had ${all.memory.redis.peakMB} MB`,
    ...Object.entries(all.memory).map(([name, { growth }]) =>
      growth <= GOALS.memoryGrowth ? '' : `the memory of the ${name} grew ${growth.toFixed(2)} times`,
    ),
  ].filter((one) => one !== '');
  for (const one of missed) say(`missed: ${one}`);
  if (missed.length > 0) process.exitCode = 1;
} finally {
  await mill.stop();
  await rm(folder, { recursive: true, force: true });
}

/** The rate of the same texts, or the first of them, as a job to a collection of its own. */
async function collectionRate(when: string): Promise<number> {
  const documents = Math.min(lines, model === 'all-MiniLM-L6-v2' ? 20_000 : 100_000);
  const name = await mill.collection(`e1-${when}`, { model, chunking: { mode: 'document' } });
  const body = Array.from(
    { length: documents },
    (_, n) => `${JSON.stringify({ id: `d${n}`, text: textOf(n) })}\n`,
  );
  const job = await mill.finished(await mill.submit(name, body.join('')), 3600);
  return job.stored / job.seconds;
}

async function batchUnderKills(client: BatchClient) {
  const [requests, output] = [join(folder, 'requests.jsonl'), join(folder, 'output.jsonl')];
  await writeRequests(requests);
  const { url } = await mill.state();
  const { id, status } = client(url, requests, output);
  const batch = await id;
  const begun = performance.now();
  let ended: number | undefined;
  status.catch(() => undefined).finally(() => (ended = performance.now()));
  const killed: string[] = [];
  const memory = new MemoryLook();
  let done = 0;
  while (done < lines && ended === undefined) {
    await setTimeout(LOOK_MS);
    await memory.look(await mill.state().catch(() => undefined), done / lines);
    const { request_counts: counts } = await mill
      .json<{ request_counts: { completed: number; failed: number } }>(`/v1/batches/${batch}`)
      .catch(() => ({ request_counts: { completed: done, failed: 0 } }));
    done = counts.completed + counts.failed;
    if (killed.length < kills && done > ((killed.length + 0.5) * lines) / kills)
      killed.push(...(await killOne()));
  }
  await mill.until('the batch has ended', () => isEnded(batch), 3600);
  const seconds = (performance.now() - begun) / 1000;
  const found = await status;
  say(`${found} after ${seconds.toFixed(0)} s, ${killed.length} kills`);
  const outputMB = Math.round((await stat(output)).size / 1e6);
  const linesPerSecond = lines / seconds;
  const answers = await answersIn(output);
  return { status: found, killed, seconds, linesPerSecond, outputMB, ...answers, memory: memory.report() };
}

async function isEnded(batch: string): Promise<boolean> {
  const { status } = await mill
    .json<{ status: string }>(`/v1/batches/${batch}`)
    .catch(() => ({ status: 'not to be had' }));
  return ['completed', 'failed', 'expired', 'cancelled'].includes(status);
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

/** Kills one process at random; does nothing if it is being restarted. */
async function killOne(): Promise<string[]> {
  const { processes } = await mill.state();
  const [engine] = await childrenOf(processes.worker);
  const victims = Object.entries({ ...processes, engine: engine ?? null }).filter(([, pid]) => pid !== null);
  const [name = '', pid] = victims[random(victims.length)] ?? [];
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    return [];
  }
  say(`killed the ${name}`);
  return [name];
}

/** Checks that each request was answered once, with a vector. */
async function answersIn(path: string) {
  const seen = new Uint8Array(lines);
  let [twice, strange] = [0, 0];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const n = Number(/"custom_id":"r(\d+)"/.exec(line)?.[1]);
    if (!(n < lines) || !line.includes('"embedding":"')) strange += 1;
    if (seen[n] === 1) twice += 1;
    seen[n] = 1;
  }
  const answered = seen.reduce((sum, one) => sum + one, 0);
  return { answered, twice, strange, missing: lines - answered };
}
