import { readFile } from 'node:fs/promises';

/** Words of a text in the middle, how far lengths spread around it (log-normal), and the most of them. */
const LENGTH = { median: 30, spread: 1.2, most: 200 };

/** So many texts as long as those of mixed collections are, made of the words of an NDJSON file; always the same. */
export async function mixedTexts(path: string, count: number): Promise<string[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  const words = lines.flatMap((line) => (JSON.parse(line) as { text: string }).text.split(/\s+/));
  return Array.from({ length: count }, (_, n) => {
    const from = (n * 7919) % words.length;
    return words.slice(from, from + lengthAt((n + 0.5) / count)).join(' ');
  });
}

/** The length that a share of all texts stays below. */
function lengthAt(share: number): number {
  // Of the logistic distribution, which is near the normal one when its scale is by so much smaller.
  const deviation = (Math.log(share / (1 - share)) * Math.sqrt(3)) / Math.PI;
  const length = Math.round(LENGTH.median * Math.exp(LENGTH.spread * deviation));
  return Math.min(LENGTH.most, Math.max(3, length));
}
