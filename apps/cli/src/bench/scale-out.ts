/**
 * `embedmill bench --scale`: the full pipeline with one worker of one CPU, then two, and so on, with one Redis, one store and
 * one API, all on this machine. The counts take turns, round by round, so that other work on the machine affects them
 * alike; the result is each count's rate relative to one worker in the same round.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { availableCpus } from '@embedmill/inference';
import { profileSchema } from '@embedmill/jobs';
import { createClient, type Client } from '@embedmill/client';
import type { Context } from '../command-host.ts';
import { CommandError, EXIT, type ExitCode } from '../exit.ts';
import { PartsApart } from '../stack/parts-apart.ts';
import type { RunningPart } from '../stack/supervisor.ts';
import { compact, grouped, table } from '../terminal/text.ts';
import { documentSource, submitDocuments } from '../documents/document-source.ts';
import { documentLines, MEAN_TOKENS, type CorpusName } from './corpora.ts';
import { median } from './rows.ts';
import { benchEnvironment, loadCorpusMaker } from './surroundings.ts';

export interface ScaleRequest {
  /** The most workers. */
  workers: number;
  models?: string[];
  corpora: readonly CorpusName[];
  repeats: number;
  seconds: number;
}

/** The result for a number of workers. */
export interface ScaleRow {
  workers: number;
  /** Tokens per second without padding; median of the rounds. */
  tokensPerSecond: number;
  /** Relative to one worker's rate in the same round: median, least and greatest. */
  ofOne: { median: number; least: number; greatest: number };
}

/** Roughly the rate of one engine with one thread for the bundled model; only sizes the job. */
const TOKENS_PER_SECOND = 15_000;
const READY_MS = 120_000;
const GRACE_MS = 35_000;

export async function runScaleOut(context: Context, request: ScaleRequest): Promise<ExitCode> {
  const { terminal, interruption, config } = context;
  const model = request.models?.[0] ?? profileSchema.parse({}).model;
  const corpus = request.corpora.find((one) => one === 'mixed') ?? request.corpora[0] ?? 'mixed';
  const environment = benchEnvironment(context);
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-bench-'));
  try {
    const path = join(folder, 'documents.ndjson');
    const documents = Math.round((TOKENS_PER_SECOND * request.seconds) / MEAN_TOKENS[corpus]);
    await writeFile(path, documentLines((await loadCorpusMaker(environment)).texts(corpus, documents)));
    terminal.note(`${model}, ${corpus}: jobs of ${grouped(documents)} documents`);
    const apart = await PartsApart.start({
      folder: join(folder, 'data'),
      redisPackageFolder: join(config.dataDir, 'redis-package'),
      environment: {
        ...environment,
        EMBEDMILL_SPOOL_DIR: '',
        EMBEDMILL_WORKER_MODELS: model,
        EMBEDMILL_WORKER_CPUS: '1',
      },
      tell: (event) => {
        if (event.kind === 'line' && event.warning) terminal.warn(`${event.part}: ${event.text}`);
      },
      signal: interruption.signal,
    });
    try {
      const rounds: number[][] = [];
      for (let round = 0; round < request.repeats; round += 1) {
        const rates = await measureRound(apart, { ...request, model, path, signal: interruption.signal });
        terminal.note(`round ${round + 1}: ${rates.map(compact).join(', ')} tokens/s`);
        rounds.push(rates);
      }
      const rows = scaleRows(rounds);
      for (const line of rowLines(rows)) terminal.print(line);
      const cpus = availableCpus();
      terminal.print(`workers with one CPU each, all processes on the ${cpus} CPUs of this machine`);
      if (terminal.json) terminal.printJson({ model, corpus, documents, cpus, rows });
      return EXIT.ok;
    } finally {
      await apart.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Rates by the number of workers, medians over the rounds; `rounds[r][n - 1]` is round r's with n workers. */
export function scaleRows(rounds: readonly (readonly number[])[]): ScaleRow[] {
  return (rounds[0] ?? []).map((_, n) => {
    const ratios = rounds.map((rates) => (rates[n] ?? 0) / (rates[0] ?? 1));
    return {
      workers: n + 1,
      tokensPerSecond: Math.round(median(rounds.map((rates) => rates[n] ?? 0))),
      ofOne: { median: median(ratios), least: Math.min(...ratios), greatest: Math.max(...ratios) },
    };
  });
}

interface RoundOptions {
  workers: number;
  model: string;
  path: string;
  signal: AbortSignal;
}

/** Tokens per second with one worker, two, and so on; all workers are stopped afterwards. */
async function measureRound(apart: PartsApart, options: RoundOptions): Promise<number[]> {
  const rates: number[] = [];
  const running: RunningPart[] = [];
  try {
    while (running.length < options.workers) {
      const worker = await apart.startWorker();
      running.push(worker);
      await untilReady(worker, options.signal);
      rates.push(await rateOfJob(createClient({ url: apart.url, signal: options.signal }), options));
    }
    return rates;
  } finally {
    await Promise.all(running.map((worker) => worker.stop(GRACE_MS)));
  }
}

/** Waits until the worker has loaded its model, so that it gets its full share of the next job. */
async function untilReady({ url }: RunningPart, signal: AbortSignal): Promise<void> {
  for (const deadline = Date.now() + READY_MS; ; await sleep(100, undefined, { signal })) {
    const health = await createClient({ url: url ?? '', signal })
      .readiness()
      .catch(() => undefined);
    if (health?.ok === true) return;
    if (Date.now() > deadline) throw new CommandError(`a worker was not ready within ${READY_MS / 1000} s`);
  }
}

async function rateOfJob(client: Client, { model, path }: RoundOptions): Promise<number> {
  const collection = `bench-${randomUUID().slice(0, 8)}`;
  await client.collections.create(collection, { model, chunking: { mode: 'document' } });
  try {
    const start = Date.now();
    const { id } = await submitDocuments(client, collection, await documentSource(path));
    for await (const { finishedAt, tokens, stored, documents } of client.watch(id)) {
      if (finishedAt === null) continue;
      if (stored === documents) return tokens / ((Date.parse(finishedAt) - start) / 1000);
      throw new CommandError(`the job ended with ${stored} of ${documents} documents stored`);
    }
    throw new CommandError('the job disappeared');
  } finally {
    await client.collections.delete(collection);
  }
}

function rowLines(rows: readonly ScaleRow[]): string[] {
  const cells = rows.map(({ workers, tokensPerSecond, ofOne: { median: middle, least, greatest } }) => [
    ...[String(workers), compact(tokensPerSecond)],
    `${middle.toFixed(2)} (${least.toFixed(2)}–${greatest.toFixed(2)})`,
  ]);
  return table([['WORKERS', 'TOKENS/S', 'OF ONE'], ...cells], [0, 1, 2]);
}
