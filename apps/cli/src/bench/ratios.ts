/**
 * The kept ratios of a benchmark, which reveal whether a change made the pipeline slower: ratios of figures of one run are
 * comparable between machines.
 */
import { z } from 'zod';

/** The part of `bench --json` from which ratios are computed. */
export const reportSchema = z.looseObject({
  rows: z.array(
    z.looseObject({
      corpus: z.string(),
      model: z.string(),
      who: z.string(),
      tokensPerSecond: z.number(),
      cpu: z.record(z.string(), z.number().nullable()).nullable().default(null),
      ofU: z.looseObject({ median: z.number() }).nullable().default(null),
    }),
  ),
  queue: z.looseObject({ cpuMsPer100Documents: z.number() }).nullable().default(null),
});
export type Report = z.infer<typeof reportSchema>;

/** Ratios by name, such as `all-MiniLM-L6-v2, mixed: E1/U`. */
export const ratiosSchema = z.record(z.string(), z.number().positive());
export type Ratios = z.infer<typeof ratiosSchema>;

/** The tolerated worsening of a ratio. */
export const ALLOWED_LOSS = 0.05;

export interface Verdict {
  name: string;
  kept: number;
  /** Undefined if the benchmark did not measure it. */
  now: number | undefined;
  /** By how much it is worse, relative to the kept value; negative if it is better. */
  loss: number | undefined;
  isRegress: boolean;
}

/** Ratios of rates, for which greater is better; for the others, costs, less is better. */
const isRate = (name: string): boolean => !name.endsWith(' cost');

/**
 * `E1/U` and `E0/N32` for each model and corpus; the costs of a document in the store and the queue, relative to its cost in
 * the engines in the same run.
 */
export function ratiosOf({ rows, queue }: Report): Ratios {
  const ratios: Ratios = {};
  for (const row of rows) {
    const of = `${row.model}, ${row.corpus}`;
    const { store, engines } = row.cpu ?? {};
    switch (row.who) {
      case 'E1':
        if (row.ofU !== null) ratios[`${of}: E1/U`] = row.ofU.median;
        if (store && engines) ratios[`${of}: store cost`] = rounded(store / engines);
        if (queue !== null && engines)
          ratios[`${of}: queue cost`] = rounded((queue.cpuMsPer100Documents * 10) / engines);
        break;
      case 'E0': {
        const usual = rows.find(
          ({ who, model, corpus }) => who === 'N32' && model === row.model && corpus === row.corpus,
        );
        if (usual !== undefined)
          ratios[`${of}: E0/N32`] = rounded(row.tokensPerSecond / usual.tokensPerSecond);
        break;
      }
      default:
    }
  }
  return ratios;
}

/** Each kept ratio with its current value. */
export function judge(kept: Ratios, now: Ratios): Verdict[] {
  return Object.entries(kept).map(([name, before]) => {
    const after = now[name];
    if (after === undefined) return { name, kept: before, now: undefined, loss: undefined, isRegress: false };
    const loss = isRate(name) ? (before - after) / before : (after - before) / before;
    return { name, kept: before, now: after, loss, isRegress: loss > ALLOWED_LOSS };
  });
}

export function verdictLine({ name, kept, now, loss, isRegress }: Verdict): string {
  if (now === undefined || loss === undefined) return `not measured  ${name} (kept: ${kept})`;
  const change = `${Math.abs(loss * 100).toFixed(1)} % ${loss > 0 ? 'worse' : 'better'}`;
  return `${isRegress ? 'REGRESS     ' : 'ok          '}  ${name}: ${now}, kept ${kept}, ${change}`;
}

function rounded(ratio: number): number {
  return Number(ratio.toPrecision(4));
}
