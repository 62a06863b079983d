export type MapValue = string | number | boolean | null;

/**
 * People with different colour vision can tell these colours apart (after Okabe and Ito), on light and dark grounds.
 */
const PALETTE = [
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#cc79a7',
  '#d55e00',
  '#56b4e9',
  '#8a6d3b',
  '#7f5fc5',
  '#b5a400',
  '#4c8c2b',
];
const OTHERS = '#8c8f8a';
/** From least to greatest. */
const RAMP = ['#31688e', '#26828e', '#35b779', '#a0c53a', '#e8a70c'];

export interface Colouring {
  /** The colour of each point. */
  readonly colours: readonly string[];
  /** What the colours stand for; for numbers, where the range of each colour begins. */
  readonly legend: readonly { readonly colour: string; readonly name: string; readonly count: number }[];
}

/**
 * Clusters with consecutive numbers have different colours; if there are more clusters than colours, the colours
 * repeat.
 */
export function clusterColours(clusters: readonly number[], names: readonly string[]): Colouring {
  const colourOf = (cluster: number) => PALETTE[cluster % PALETTE.length] ?? OTHERS;
  const counts = names.map(() => 0);
  for (const cluster of clusters) counts[cluster] = (counts[cluster] ?? 0) + 1;
  return {
    colours: clusters.map(colourOf),
    legend: names.map((name, n) => ({ colour: colourOf(n), name, count: counts[n] ?? 0 })),
  };
}

/**
 * Each of the most frequent values has a colour. If there are many distinct numbers, they are coloured along a ramp.
 */
export function coloursOf(values: readonly MapValue[], nameOf: (value: MapValue) => string): Colouring {
  const numbers = values.filter((value) => typeof value === 'number');
  const distinct = new Set(values);
  return numbers.length > 0 && distinct.size > PALETTE.length
    ? byNumber(values, numbers, nameOf)
    : byValue(values, nameOf);
}

function byValue(values: readonly MapValue[], nameOf: (value: MapValue) => string): Colouring {
  const counts = new Map<MapValue, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const frequent = [...counts].toSorted((a, b) => b[1] - a[1]).slice(0, PALETTE.length);
  const colourOf = new Map(frequent.map(([value], n) => [value, PALETTE[n] ?? OTHERS]));
  return {
    colours: values.map((value) => colourOf.get(value) ?? OTHERS),
    legend: frequent.map(([value, count]) => ({
      colour: colourOf.get(value) ?? OTHERS,
      name: nameOf(value),
      count,
    })),
  };
}

function byNumber(
  values: readonly MapValue[],
  numbers: readonly number[],
  nameOf: (value: MapValue) => string,
): Colouring {
  const sorted = numbers.toSorted((a, b) => a - b);
  const bounds = RAMP.map((_, n) => sorted[Math.floor((n * sorted.length) / RAMP.length)] ?? 0);
  const stepOf = (value: number) => bounds.findLastIndex((bound) => value >= bound);
  const steps = values.map((value) => (typeof value === 'number' ? stepOf(value) : -1));
  return {
    colours: steps.map((step) => RAMP[step] ?? OTHERS),
    legend: RAMP.map((colour, n) => ({
      colour,
      name: `≥ ${nameOf(bounds[n] ?? 0)}`,
      count: steps.filter((step) => step === n).length,
    })),
  };
}
