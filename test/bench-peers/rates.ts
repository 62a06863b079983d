/** The results of a comparison with peers, a row for each. */

export interface Outcome {
  who: string;
  /** Seconds of each round of all texts; or the reason why there are none. */
  seconds: number[] | string;
}

export interface Setting {
  documents: number;
  tokens: number;
  cores: number;
  /** Dollars per core and hour. */
  coreHour: number;
}

/** The tokens of each of the million documents that are priced. */
const TOKENS_A_DOCUMENT = 200;

/** A table in Markdown: the median of the rounds, and the price of a million documents of 200 tokens at that rate. */
export function tableOf(
  outcomes: readonly Outcome[],
  { documents, tokens, cores, coreHour }: Setting,
): string {
  const rows = outcomes.map(({ who, seconds }) => {
    if (typeof seconds === 'string') return [who, `not run: ${seconds}`, '', '', ''];
    const took = median(seconds);
    const [least, most] = [Math.min(...seconds), Math.max(...seconds)];
    const perSecond = tokens / took;
    const hours = (1e6 * TOKENS_A_DOCUMENT) / perSecond / 3600;
    return [
      who,
      thousands(perSecond),
      (documents / took).toFixed(1),
      `${thousands(tokens / most)}–${thousands(tokens / least)}`,
      `$${(hours * cores * coreHour).toFixed(2)}`,
    ];
  });
  const head = [
    'what',
    'tokens/s',
    'documents/s',
    'least–most tokens/s',
    '$ a million documents of 200 tokens',
  ];
  const widths = head.map((name, n) => Math.max(name.length, ...rows.map((row) => row[n]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}

function thousands(perSecond: number): string {
  return `${(perSecond / 1000).toFixed(1)}k`;
}
