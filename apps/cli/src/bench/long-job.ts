/**
 * `embedmill bench --long`: runs one job of very many short documents and samples the memory of the processes and of Redis
 * until the job's end, to show that nothing grows with it.
 */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Context } from '../command-host.ts';
import { CommandError, EXIT, type ExitCode } from '../exit.ts';
import { compact, grouped, table } from '../terminal/text.ts';
import { CORPORA, documentLines, type CorpusName } from './corpora.ts';
import { benchEnvironment, loadCorpusMaker } from './surroundings.ts';
import { WholeWay, type MemorySample } from './whole-way.ts';

const LOOK_MS = 2000;
/** The number of printed rows among all samples. */
const ROWS = 12;
const LINES_AT_ONCE = 5000;

export async function runLongJob(context: Context, model: string, documents: number): Promise<ExitCode> {
  const { terminal } = context;
  const environment = benchEnvironment(context);
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-bench-'));
  try {
    const path = join(folder, 'documents.ndjson');
    terminal.note(`making ${grouped(documents)} documents`);
    await writeDocuments(path, (await loadCorpusMaker(environment)).texts('short', documents));
    const whole = await WholeWay.start({ ...context, environment }, model, join(folder, 'data'));
    try {
      terminal.note(`${model}: one job of ${grouped(documents)} documents`);
      const samples: MemorySample[] = [];
      const run = await whole.run(path, {
        everyMs: LOOK_MS,
        onSample: (sample) => samples.push(sample),
      });
      const rate = run.documents / run.seconds;
      for (const line of sampleLines(samples)) terminal.print(line);
      terminal.print(
        `${grouped(run.documents)} documents stored in ${run.seconds.toFixed(0)} s, ${compact(rate)} per second`,
      );
      if (terminal.json) terminal.printJson({ model, ...run, documentsPerSecond: rate, samples });
      return EXIT.ok;
    } finally {
      await whole.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `embedmill bench --save`: writes a generated corpus as documents. */
export async function saveCorpus(
  context: Context,
  corpus: CorpusName,
  documents: number,
  path: string,
): Promise<ExitCode> {
  const maker = await loadCorpusMaker(benchEnvironment(context));
  await writeDocuments(path, maker.texts(corpus, documents)).catch((cause: unknown) => {
    throw new CommandError(`${path} cannot be written: ${(cause as Error).message}`, EXIT.failed, { cause });
  });
  context.terminal.print(`${grouped(documents)} documents (${CORPORA[corpus].about}) are in ${path}`);
  if (context.terminal.json) context.terminal.printJson({ path, corpus, documents });
  return EXIT.ok;
}

async function writeDocuments(path: string, texts: string[]): Promise<void> {
  function* parts(): Generator<string> {
    for (let from = 0; from < texts.length; from += LINES_AT_ONCE) {
      yield documentLines(texts.slice(from, from + LINES_AT_ONCE), from);
    }
  }
  await pipeline(Readable.from(parts()), createWriteStream(path));
}

function sampleLines(samples: readonly MemorySample[]): string[] {
  const step = Math.max(1, Math.ceil(samples.length / ROWS));
  const shown = samples.filter((_, n) => n % step === 0 || n === samples.length - 1);
  const head = ['SECONDS', 'DOCUMENTS', 'WORKER MB', 'ENGINES MB', 'API MB', 'STORE MB', 'REDIS MB'];
  const rows = shown.map(({ seconds, documents, worker, engines, api, store, redis }) =>
    [Math.round(seconds), documents, worker, engines, api, store, redis].map((value) =>
      value === null ? '–' : grouped(value),
    ),
  );
  return table([head, ...rows], [0, 1, 2, 3, 4, 5, 6]);
}
