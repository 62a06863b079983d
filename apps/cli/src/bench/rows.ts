import { compact, table } from '../terminal/text.ts';
import { CORPORA, type CorpusName } from './corpora.ts';

export const WHO = {
  U: 'ONNX Runtime alone, tokenized and sorted beforehand: the limit',
  E0: 'tokenizer, planner and engines, from text',
  P: 'the package @embedmill/embed: one stream of texts, with its vectors in order',
  E1: 'the full pipeline: upload, spool, Redis, worker, store; all processes on this machine',
  N32: 'batches of 32 in order of arrival, padded to the longest, in one session with all threads',
  N256: 'batches of 256, likewise',
} as const;
export type Who = keyof typeof WHO;

/** The result of one variant for one corpus and model. */
export interface Row {
  corpus: CorpusName;
  model: string;
  who: Who;
  /** Tokens per second without padding; median of the rounds. */
  tokensPerSecond: number;
  documentsPerSecond: number;
  /** Padded tokens relative to real tokens. */
  padding: number;
  /** Peak memory of its processes; for E1, of the worker with its engines. Null if the system does not report it. */
  rssMB: number | null;
  /** For E1: CPU time of each process, in microseconds per document; median of the rounds. */
  cpu: Cpu | null;
  /** Relative to U's rate in the same round: median, least and greatest. */
  ofU: { median: number; least: number; greatest: number } | null;
  detail: string;
}

export type Cpu = Record<string, number | null>;

export interface Round {
  tokensPerSecond: number;
  documentsPerSecond: number;
  padding: number;
  cpu?: Cpu;
}

export function rowOf(
  about: Pick<Row, 'corpus' | 'model' | 'who' | 'rssMB' | 'detail'>,
  rounds: readonly Round[],
  limit: readonly Round[],
): Row {
  const ratios = rounds.flatMap(({ tokensPerSecond }, n) => {
    const of = limit[n]?.tokensPerSecond;
    return of === undefined ? [] : [tokensPerSecond / of];
  });
  return {
    ...about,
    tokensPerSecond: Math.round(median(rounds.map((round) => round.tokensPerSecond))),
    documentsPerSecond: Math.round(median(rounds.map((round) => round.documentsPerSecond)) * 10) / 10,
    padding: Math.round(median(rounds.map((round) => round.padding)) * 1000) / 1000,
    cpu: medianCpu(rounds),
    ofU:
      ratios.length === 0
        ? null
        : {
            median: rounded(median(ratios)),
            least: rounded(Math.min(...ratios)),
            greatest: rounded(Math.max(...ratios)),
          },
  };
}

function medianCpu(rounds: readonly Round[]): Cpu | null {
  const costs = rounds.map(({ cpu }) => cpu).filter((cpu) => cpu !== undefined);
  const [first] = costs;
  if (first === undefined) return null;
  return Object.fromEntries(
    Object.keys(first).map((part): [string, number | null] => {
      const values = costs.map((cpu) => cpu[part]).filter((value) => typeof value === 'number');
      return [part, values.length === 0 ? null : median(values)];
    }),
  );
}

/** Where the time of whole jobs goes, one line per row. */
export function cpuLines(rows: readonly Row[]): string[] {
  return rows.flatMap(({ corpus, model, cpu }) => {
    if (cpu === null) return [];
    const parts = Object.entries(cpu).map(([part, value]) => `${part} ${value ?? '–'}`);
    return [`${corpus}, ${model}: µs of CPU per document: ${parts.join(', ')}`];
  });
}

export function rowLines(rows: readonly Row[]): string[] {
  const head = ['CORPUS', 'MODEL', 'WHO', 'TOKENS/S', 'DOCS/S', 'PADDING', 'RSS MB', 'OF U', ''];
  const cells = rows.map((row) => [
    ...[row.corpus, row.model, row.who, compact(row.tokensPerSecond), compact(row.documentsPerSecond)],
    row.padding.toFixed(3),
    row.rssMB === null ? '–' : String(row.rssMB),
    row.ofU === null
      ? ''
      : `${row.ofU.median.toFixed(3)} (${row.ofU.least.toFixed(2)}–${row.ofU.greatest.toFixed(2)})`,
    row.detail,
  ]);
  return table([head, ...cells], [3, 4, 5, 6]);
}

export function legend(corpora: readonly CorpusName[], who: readonly Who[]): string[] {
  return [
    ...corpora.map((corpus) => `${corpus}: ${CORPORA[corpus].about}`),
    ...who.map((one) => `${one}: ${WHO[one]}`),
  ];
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;
