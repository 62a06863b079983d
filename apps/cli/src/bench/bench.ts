/**
 * `embedmill bench`: compares the full pipeline and its inner part with the limit and with fixed batches. All variants of a
 * corpus and model run in turn, round by round, so that other work on the machine affects them alike.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Context } from '../command-host.ts';
import { CommandError, EXIT, type ExitCode } from '../exit.ts';
import { grouped } from '../terminal/text.ts';
import { BenchProcess } from './bench-process.ts';
import { storeInUse, type BenchStore } from './bench-store.ts';
import { calibrateModel, MIN_COSINE } from './calibration.ts';
import { documentLines, MEAN_TOKENS, type CorpusMaker, type CorpusName } from './corpora.ts';
import { peakRssOf } from './process-usage.ts';
import { measureQueueCost, type QueueCost } from './queue-cost.ts';
import { cpuLines, legend, rowLines, rowOf, type Round, type Row, type Who } from './rows.ts';
import { benchEnvironment, loadCorpusMaker, presentModels } from './surroundings.ts';
import { latencySchema, WholeWay, type Latency } from './whole-way.ts';

export interface BenchRequest {
  models?: string[];
  corpora: CorpusName[];
  who: Who[];
  repeats: number;
  seconds: number;
}

/** The models with kept figures. */
const USUAL_MODELS = ['all-MiniLM-L6-v2-fp32', 'all-MiniLM-L6-v2', 'static-minilm-256'];

const LEAST_DOCUMENTS = 1024;
const MOST_DOCUMENTS = 40_000;
/** The factor by which a job has more documents than the other variants. */
const JOB_LENGTH = 2;

const openedSchema = z.object({ detail: z.string() });
const runSchema = z.object({
  documents: z.number(),
  tokens: z.number(),
  paddedTokens: z.number(),
  seconds: z.number(),
});

/** How long queries took while bulk work ran: inside the worker (E0), and through all processes (E1). */
type QueryLatency = Latency & { model: string; who: Who };

/** A row that is being measured. */
interface Runner {
  who: Who;
  detail: string;
  run(): Promise<Round>;
  latency?: () => Promise<Latency>;
  rssBytes(): number | undefined;
  close(): Promise<void>;
}

export async function runBench(context: Context, request: BenchRequest): Promise<ExitCode> {
  const { terminal, config, interruption } = context;
  const environment = benchEnvironment(context);
  const models = request.models ?? (await presentModels(environment, USUAL_MODELS));
  for (const missing of request.models === undefined ? USUAL_MODELS : []) {
    if (!models.includes(missing)) terminal.note(`${missing} is not on this machine and is skipped`);
  }
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-bench-'));
  const rows: Row[] = [];
  const latencies: QueryLatency[] = [];
  let queue: QueueCost | undefined;
  try {
    const maker = await loadCorpusMaker(environment);
    for (const model of models) {
      const bench = new ModelBench({ context, environment, request, folder, maker, model });
      rows.push(...(await bench.run()));
      latencies.push(...bench.latencies);
    }
    if (request.who.includes('E1')) {
      const redisPackage = join(config.dataDir, 'redis-package');
      queue = await measureQueueCost(folder, redisPackage, interruption.signal);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  for (const line of rowLines(rows)) terminal.print(line);
  terminal.print();
  for (const line of cpuLines(rows)) terminal.print(line);
  for (const { model, who, p50, p95, batchMs, queries } of latencies) {
    terminal.print(
      `${model}: during bulk work, a query ${who === 'E0' ? 'in the encoder' : 'over HTTP'} takes ${p50.toFixed(1)} ms, ` +
        `95 % take less than ${p95.toFixed(1)} ms: ${(p95 / batchMs).toFixed(1)} times a batch of ${batchMs.toFixed(1)} ms ` +
        `(${grouped(queries)} queries)`,
    );
  }
  if (queue !== undefined) {
    terminal.print(`the queue takes ${queue.cpuMsPer100Documents.toFixed(2)} ms of CPU per 100 documents`);
  }
  for (const line of legend(request.corpora, request.who)) terminal.print(line);
  if (terminal.json) terminal.printJson({ rows, latencies, queue: queue ?? null });
  return EXIT.ok;
}

interface ModelBenchOptions {
  context: Context;
  environment: NodeJS.ProcessEnv;
  request: BenchRequest;
  folder: string;
  maker: CorpusMaker;
  model: string;
}

/** Measures one model: calibrates it if necessary, then runs corpus by corpus. */
class ModelBench {
  readonly #options: ModelBenchOptions;
  readonly latencies: QueryLatency[] = [];

  constructor(options: ModelBenchOptions) {
    this.#options = options;
  }

  async run(): Promise<Row[]> {
    const { context, environment, request, folder, model } = this.#options;
    const tokensPerSecond = await this.#speed();
    const whole = request.who.includes('E1')
      ? await WholeWay.start({ ...context, environment }, model, join(folder, 'data'))
      : undefined;
    const rows: Row[] = [];
    try {
      for (const corpus of request.corpora) {
        const wanted = Math.round((tokensPerSecond * request.seconds) / MEAN_TOKENS[corpus]);
        const documents = Math.min(MOST_DOCUMENTS, Math.max(LEAST_DOCUMENTS, wanted));
        const [path, longer] = await this.#writeCorpus(corpus, documents);
        context.terminal.note(`${model}, ${corpus}: ${grouped(documents)} documents`);
        rows.push(...(await this.#measure(corpus, path, whole, longer)));
      }
    } finally {
      await whole?.close();
    }
    return rows;
  }

  /**
   * Writes the corpus, and a longer one for whole jobs, so that a job's start and end, when little runs, hardly affect
   * the rate.
   */
  async #writeCorpus(corpus: CorpusName, documents: number): Promise<[path: string, longer: string]> {
    const { folder, maker } = this.#options;
    const texts = maker.texts(corpus, documents * JOB_LENGTH);
    const path = join(folder, `${corpus}.ndjson`);
    const longer = join(folder, `${corpus}-job.ndjson`);
    await writeFile(path, documentLines(texts.slice(0, documents)));
    await writeFile(longer, documentLines(texts));
    return [path, longer];
  }

  /** Its calibrated rate; calibrates first if necessary. */
  async #speed(): Promise<number> {
    const { context, model } = this.#options;
    const process = this.#start();
    try {
      const asked = await process.ask({ kind: 'speed', model }, z.number().nullable());
      if (asked !== null) return asked;
    } finally {
      await process.close();
    }
    const { repeats, seconds } = this.#options.request;
    const effort = { minCosine: MIN_COSINE, repeats, seconds };
    const { calibration } = await calibrateModel(context, model, effort);
    return calibration.tokensPerSecond;
  }

  async #measure(
    corpus: CorpusName,
    path: string,
    whole: WholeWay | undefined,
    longer: string,
  ): Promise<Row[]> {
    const { request, model } = this.#options;
    const runners: Runner[] = [];
    const rounds = new Map<Who, Round[]>();
    try {
      for (const who of request.who) {
        const store = storeInUse(this.#options.context);
        runners.push(who === 'E1' ? wholeRunner(whole, longer, store) : await this.#open(who, path));
      }
      for (let round = 0; round < request.repeats; round += 1) {
        for (const { who, run } of runners) {
          rounds.set(who, [...(rounds.get(who) ?? []), await run()]);
        }
      }
      for (const { who, latency } of corpus === 'mixed' ? runners : []) {
        if (latency !== undefined) this.latencies.push({ model, who, ...(await latency()) });
      }
      const limit = rounds.get('U') ?? [];
      return runners.map(({ who, detail, rssBytes }) => {
        const bytes = rssBytes();
        const rssMB = bytes === undefined ? null : Math.round(bytes / 2 ** 20);
        return rowOf({ corpus, model, who, rssMB, detail }, rounds.get(who) ?? [], limit);
      });
    } finally {
      for (const { close } of runners) await close();
    }
  }

  async #open(who: Who, corpus: string): Promise<Runner> {
    const { request, model } = this.#options;
    const process = this.#start();
    try {
      const { seconds } = request;
      const { detail } = await process.ask({ kind: 'open', who, model, corpus, seconds }, openedSchema);
      return {
        who,
        detail,
        run: async () => {
          const ran = await process.ask({ kind: 'run', seconds }, runSchema);
          return {
            tokensPerSecond: ran.tokens / ran.seconds,
            documentsPerSecond: ran.documents / ran.seconds,
            padding: ran.paddedTokens / ran.tokens,
          };
        },
        ...(who === 'E0' && {
          latency: () => process.ask({ kind: 'latency', seconds }, latencySchema),
        }),
        rssBytes: () => (process.pid === undefined ? undefined : peakRssOf(process.pid)),
        close: () => process.close(),
      };
    } catch (error) {
      await process.close();
      throw error;
    }
  }

  #start(): BenchProcess {
    const { context, environment } = this.#options;
    const { terminal, interruption } = context;
    return new BenchProcess(environment, (text) => terminal.note(text), interruption.signal);
  }
}

function wholeRunner(whole: WholeWay | undefined, path: string, store: BenchStore): Runner {
  if (whole === undefined) throw new CommandError('the full pipeline was not started');
  return {
    who: 'E1',
    detail: `one job per round, store: ${store}`,
    run: async () => {
      const { documents, tokens, padding, cpu, seconds } = await whole.run(path);
      return { tokensPerSecond: tokens / seconds, documentsPerSecond: documents / seconds, padding, cpu };
    },
    latency: () => whole.measureLatency(path),
    rssBytes: () => whole.workerRssBytes,
    close: () => Promise.resolve(),
  };
}
