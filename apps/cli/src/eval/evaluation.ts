import { randomUUID } from 'node:crypto';
import type { Chunking, Language } from '@embedmill/jobs';
import { meanInterval, ndcgAt, recallAt, reciprocalRank, type Interval } from '@embedmill/retrieval';
import type { Client } from '@embedmill/client';
import type { Context } from '../command-host.ts';
import { CommandError } from '../exit.ts';
import { followWithProgress } from '../documents/job-report.ts';
import { summaryOf } from '../terminal/progress.ts';
import type { BeirFolder, CorpusDocument, Question } from './beir-folder.ts';
import { taskOf } from './joined-folder.ts';
import { MODES, type Mode, type ModeName } from './modes.ts';

/** The number of hits requested: recall@100 needs a hundred. */
const DEPTH = 100;
/** The number of questions asked at the same time. */
const PARALLEL = 4;

/** The quality of one mode over all questions. */
export interface Run {
  mode: ModeName;
  /** Where chunks end; null if each document is one chunk. */
  boundary: Boundary | null;
  ndcg10: number;
  recall100: number;
  mrr: number;
  /** 95 % confidence intervals by bootstrap over the questions. */
  intervals: Record<'ndcg10' | 'recall100' | 'mrr', Interval>;
  /**
   * The mean difference of nDCG@10 to the first run, question by question, with its 95 % interval; null for the first
   * run itself. If several boundaries are compared, the difference is to the first of them in the same mode.
   */
  beyondFirst: Interval | null;
  /** The mean per question. */
  milliseconds: number;
}

export interface EvaluationOptions {
  model: string | undefined;
  /** The language for bm25 and bm42. */
  language: Language | undefined;
  modes: readonly ModeName[];
  /** Whether long texts become several chunks, of which the best one counts. */
  chunking: boolean;
  chunkSize: number | undefined;
  overlap: number | undefined;
  /**
   * Where chunks end: each boundary is tried in a collection of its own. By default, the boundary of new collections.
   */
  boundaries: readonly Boundary[];
  /** The number of texts of the corpus that are joined into one document. */
  join: number;
  /** Whether token vectors are kept for reranking. */
  lateInteraction: { poolFactor?: number } | undefined;
}
export type Boundary = NonNullable<Extract<Chunking, { mode: 'tokens' }>['boundary']>;

/**
 * Embeds a folder's corpus into temporary collections, asks its questions in each mode, and deletes the collections.
 */
export async function evaluate(
  context: Context,
  client: Client,
  folder: BeirFolder,
  options: EvaluationOptions,
): Promise<{ documents: number; runs: Run[] }> {
  const { boundaries, chunking } = options;
  const task = await taskOf(folder, options.join);
  const runs: Run[] = [];
  const firsts = new Map<ModeName | undefined, number[]>();
  let documents = 0;
  for (const boundary of chunking && boundaries.length > 0 ? boundaries : [undefined]) {
    documents = await inCollection(
      context,
      client,
      task.documents,
      { ...options, boundary },
      async (collection) => {
        const { profile } = await client.collections.get(collection);
        for (const mode of options.modes) {
          context.terminal.note(`asking ${task.questions.length} questions: ${mode}`);
          const { run, ndcg10 } = await ask(client, collection, task.questions, mode);
          const key = boundaries.length > 1 ? mode : undefined;
          const first = firsts.get(key);
          const beyond = first && meanInterval(ndcg10.map((value, n) => value - (first[n] ?? 0)));
          const ends = profile.chunking.mode === 'tokens' ? (profile.chunking.boundary ?? null) : null;
          runs.push({ ...run, boundary: ends, beyondFirst: beyond ?? null });
          if (first === undefined) firsts.set(key, ndcg10);
        }
      },
    );
  }
  return { documents, runs };
}

async function inCollection(
  context: Context,
  client: Client,
  documents: () => AsyncIterable<CorpusDocument>,
  {
    model,
    language,
    modes,
    chunking,
    chunkSize,
    overlap,
    boundary,
    lateInteraction,
  }: EvaluationOptions & { boundary: Boundary | undefined },
  work: (collection: string) => Promise<void>,
): Promise<number> {
  const { terminal } = context;
  const cutting = chunking ? [chunkSize, overlap, boundary] : [];
  const collection = `eval-${randomUUID().slice(0, 8)}`;
  await client.collections.create(collection, {
    ...(model !== undefined && { model }),
    ...(!chunking && { chunking: { mode: 'document' } }),
    ...(cutting.some((value) => value !== undefined) && {
      chunking: { mode: 'tokens', size: chunkSize, overlap, boundary },
    }),
    ...(lateInteraction !== undefined && { lateInteraction }),
    sparse: sparseFor(
      modes.map((name): Mode => MODES[name]),
      language,
    ),
  });
  try {
    const submitted = await client.submit(collection, { stream: documents });
    const job = await followWithProgress(context, client, submitted.id);
    if (job.state !== 'completed' || job.failed > 0)
      throw new CommandError(`the job ${job.state}: ${job.error?.message ?? summaryOf(job)}`);
    terminal.note(summaryOf(job));
    await work(collection);
    return job.stored;
  } finally {
    await client.collections.delete(collection);
  }
}

function sparseFor(modes: readonly Mode[], language: Language | undefined) {
  const read = language === undefined ? {} : { language };
  return Object.fromEntries(
    modes.flatMap(({ needs }) => needs.map((scheme) => [scheme, scheme === 'splade' ? {} : read])),
  );
}

async function ask(
  client: Client,
  collection: string,
  questions: readonly Question[],
  mode: ModeName,
): Promise<{ run: Omit<Run, 'beyondFirst' | 'boundary'>; ndcg10: number[] }> {
  const figures = { ndcg10: [] as number[], recall100: [] as number[], mrr: [] as number[] };
  const start = performance.now();
  const pending = questions.entries();
  const askInTurn = async (): Promise<void> => {
    for (const [n, { text, relevance }] of pending) {
      const request = { query: text, limit: DEPTH, group: true, ...MODES[mode].request };
      const ranking = (await client.search(collection, request)).hits.map(({ id }) => id);
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
