/**
 * Measured rates of a worker. They all are of the full pipeline, with every process on the two CPUs of one machine; a
 * worker with two CPUs in a cluster is at least as fast.
 */
export interface MeasuredRate {
  readonly model: string;
  readonly device: 'cpu';
  /** Mean tokens of the texts that it was measured with. */
  readonly tokensPerChunk: number;
  /** The rate of one worker, without padding. */
  readonly tokensPerSecond: number;
}

/** The source of all rates below. */
export const MEASURED_ON = {
  machine: '2 CPUs of an AMD EPYC (Zen 5, AVX-512 VNNI)',
  date: '2026-11-24',
  command: 'npm run bench -- --models MODEL --who E1',
  where: 'docs/performance.md',
} as const;

/** Mean tokens of the benchmark's corpora short, mixed and long. */
const LENGTHS = [12, 69, 256] as const;

const rates = (model: string, perSecond: readonly [number, number, number]): MeasuredRate[] =>
  LENGTHS.map((tokensPerChunk, n) => ({
    model,
    device: 'cpu',
    tokensPerChunk,
    tokensPerSecond: perSecond[n] ?? perSecond[0],
  }));

export const MEASURED_RATES: readonly MeasuredRate[] = [
  ...rates('all-MiniLM-L6-v2', [36_900, 37_400, 34_100]),
  ...rates('all-MiniLM-L6-v2-fp32', [17_300, 17_300, 17_100]),
  ...rates('static-minilm-256', [172_000, 866_000, 2_300_000]),
];

/** The rate measured with texts of the nearest length; undefined if the model was never measured on this device. */
export function measuredRate(
  model: string,
  device: string,
  tokensPerChunk: number,
): MeasuredRate | undefined {
  const distance = (rate: MeasuredRate): number => Math.abs(Math.log(rate.tokensPerChunk / tokensPerChunk));
  return MEASURED_RATES.filter((rate) => rate.model === model && rate.device === device).toSorted(
    (a, b) => distance(a) - distance(b),
  )[0];
}
