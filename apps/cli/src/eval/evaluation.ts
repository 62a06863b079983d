import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { SparseProfile } from '@embedmill/jobs';
import { meanInterval, ndcgAt, recallAt, reciprocalRank, type Interval } from '@embedmill/retrieval';
import type { Client } from '../client.ts';
import type { Context } from '../command-host.ts';
import { CommandError } from '../exit.ts';
import { followWithProgress } from '../job-report.ts';
import { summaryOf } from '../progress.ts';
import type { DocumentSource } from '../upload.ts';
import { submitDocuments } from '../upload.ts';
import { corpusDocuments, type BeirFolder, type Question } from './beir-folder.ts';
import { MODES, type Mode, type ModeName } from './modes.ts';

/** Hits that are looked at: what recall@100 needs. */
const DEPTH = 100;
/** Questions that are asked at the same time. */
const PARALLEL = 4;

/** How well one mode answered, over all questions. */
export interface Run {
  mode: ModeName;
  ndcg10: number;
  recall100: number;
  mrr: number;
  /** 95 % of what another draw of as many questions would give, by bootstrap. */
  intervals: Record<'ndcg10' | 'recall100' | 'mrr', Interval>;
  /** nDCG@10 less that of the first mode, question by question, with its 95 % interval; null of the first mode itself. */
  beyondFirst: Interval | null;
  /** Milliseconds a question, on average. */
  milliseconds: number;
}

export interface EvaluationOptions {
  model: string | undefined;
  modes: readonly ModeName[];
  /** Whether long texts become several chunks, of which the best counts. */
  chunking: boolean;
}

/** Embeds a folder's corpus into a collection of its own, asks its questions in each mode, and deletes it again. */
export async function evaluate(
  context: Context,
  client: Client,
  folder: BeirFolder,
  { model, modes, chunking }: EvaluationOptions,
): Promise<{ documents: number; runs: Run[] }> {
  const { terminal, interruption } = context;
  const collection = `eval-${randomUUID().slice(0, 8)}`;
  await client.createCollection(collection, {
    ...(model !== undefined && { model }),
    ...(!chunking && { chunking: { mode: 'document' } }),
    sparse: sparseFor(modes.map((name): Mode => MODES[name])),
  });
  try {
    const source: DocumentSource = {
      open: () => Readable.from(corpusLines(folder.corpus), { objectMode: false }),
      size: undefined,
      repeatable: true,
    };
    const submitted = await submitDocuments(client, collection, source, { signal: interruption.signal });
    const job = await followWithProgress(context, client, submitted.id);
    if (job.state !== 'completed' || job.failed > 0)
      throw new CommandError(`the job ${job.state}: ${job.error?.message ?? summaryOf(job)}`);
    terminal.note(summaryOf(job));
    const runs: Run[] = [];
    let first: number[] | undefined;
    for (const mode of modes) {
      terminal.note(`asking ${folder.questions.length} questions: ${mode}`);
      const { run, ndcg10 } = await ask(client, collection, folder.questions, mode);
      const beyondFirst = first && meanInterval(ndcg10.map((value, n) => value - (first?.[n] ?? 0)));
      runs.push({ ...run, beyondFirst: beyondFirst ?? null });
      first ??= ndcg10;
    }
    return { documents: job.stored, runs };
  } finally {
    await client.deleteCollection(collection);
  }
}

function sparseFor(modes: readonly Mode[]): { [Scheme in keyof SparseProfile]: Record<string, never> } {
  return Object.fromEntries(modes.flatMap(({ needs }) => needs.map((scheme) => [scheme, {}])));
}

async function* corpusLines(corpus: string): AsyncGenerator<string> {
  for await (const document of corpusDocuments(corpus)) yield `${JSON.stringify(document)}\n`;
}

async function ask(
  client: Client,
  collection: string,
  questions: readonly Question[],
  mode: ModeName,
): Promise<{ run: Omit<Run, 'beyondFirst'>; ndcg10: number[] }> {
  const figures = { ndcg10: [] as number[], recall100: [] as number[], mrr: [] as number[] };
  const start = performance.now();
  const pending = questions.entries();
  const askInTurn = async (): Promise<void> => {
    for (const [n, { text, relevance }] of pending) {
      const request = { query: text, limit: DEPTH, group: true, ...MODES[mode].request };
      const ranking = (await client.search(collection, request)).map(({ id }) => id);
      figures.ndcg10[n] = ndcgAt(10, ranking, relevance);
      figures.recall100[n] = recallAt(DEPTH, ranking, relevance);
      figures.mrr[n] = reciprocalRank(ranking, relevance);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, askInTurn));
  const intervals = {
    ndcg10: meanInterval(figures.ndcg10),
    recall100: meanInterval(figures.recall100),
    mrr: meanInterval(figures.mrr),
  };
  const run = {
    mode,
    ndcg10: intervals.ndcg10.mean,
    recall100: intervals.recall100.mean,
    mrr: intervals.mrr.mean,
    intervals,
    milliseconds: (performance.now() - start) / questions.length,
  };
  return { run, ndcg10: figures.ndcg10 };
}
