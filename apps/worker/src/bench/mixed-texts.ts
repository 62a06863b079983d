import { readFile } from 'node:fs/promises';

/** The median number of words of a text, the spread of lengths (log-normal), and the maximum. */
const LENGTH = { median: 30, spread: 1.2, most: 200 };

/** This many texts with the lengths of a mixed collection, made of the words of an NDJSON file; reproducible. */
export async function mixedTexts(path: string, count: number): Promise<string[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  const words = lines.flatMap((line) => (JSON.parse(line) as { text: string }).text.split(/\s+/));
  return Array.from({ length: count }, (_, n) => {
    const from = (n * 7919) % words.length;
    return words.slice(from, from + lengthAt((n + 0.5) / count)).join(' ');
  });
}

/** The length at a quantile. */
function lengthAt(share: number): number {
  // From the logistic distribution, which approximates the normal one when scaled down by this factor.
  const deviation = (Math.log(share / (1 - share)) * Math.sqrt(3)) / Math.PI;
  const length = Math.round(LENGTH.median * Math.exp(LENGTH.spread * deviation));
  return Math.min(LENGTH.most, Math.max(3, length));
}
