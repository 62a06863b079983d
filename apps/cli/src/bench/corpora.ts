/**
 * The texts that benchmarks run on, made of WordNet's definitions, which embedmill ships for its demo. The same number
 * of documents gives the same texts on every machine.
 */
import { readFile } from 'node:fs/promises';
import type { Tokenizer } from '@embedmill/tokenization';
import { DEMO_DOCUMENTS } from '../entries.ts';
import { normal, seeded, type Random } from '../random.ts';

interface CorpusKind {
  about: string;
  /** Draws the tokens of a document, special tokens included. */
  length: (random: Random) => number;
}

const LONGEST = 256;

export const CORPORA = {
  short: { about: 'mean 12 tokens', length: (random) => 5 + Math.floor(random() * 15) },
  mixed: {
    about: 'p50/p90/max 41/191/256 tokens',
    // Log-normal, with the median and the 90th percentile of mixed collections of web texts.
    length: (random) => clamp(Math.round(41 * Math.exp(1.2 * normal(random))), 4, LONGEST),
  },
  long: { about: '256 tokens', length: () => LONGEST },
} as const satisfies Record<string, CorpusKind>;

export type CorpusName = keyof typeof CORPORA;

/** Mean tokens of a document, for sizing. */
export const MEAN_TOKENS: Record<CorpusName, number> = { short: 12, mixed: 69, long: 256 };

/** Makes corpora; reads the words once. Errors: `model_unavailable` if the tokenizer cannot be read. */
export class CorpusMaker {
  /** The words, and the number of tokens of each. */
  readonly #words: string[];
  readonly #tokens: Int32Array;

  private constructor(words: string[], tokens: Int32Array) {
    this.#words = words;
    this.#tokens = tokens;
  }

  static async load(tokenizer: Tokenizer): Promise<CorpusMaker> {
    const lines = (await readFile(DEMO_DOCUMENTS.english, 'utf8')).trimEnd().split('\n');
    const words = lines.flatMap((line) => (JSON.parse(line) as { text: string }).text.split(/\s+/));
    const distinct = [...new Set(words)];
    const counts = new Map<string, number>();
    let n = 0;
    for await (const { length } of tokenizer.encodePlain(distinct)) counts.set(distinct[n++] ?? '', length);
    return new CorpusMaker(
      words,
      Int32Array.from(words, (word) => counts.get(word) ?? 1),
    );
  }

  /** Makes `documents` different texts, in an order unrelated to their length. */
  texts(corpus: CorpusName, documents: number): string[] {
    const random = seeded(20_261_124);
    const made = new Set<string>();
    const { length } = CORPORA[corpus];
    for (let tries = 0; made.size < documents && tries < documents * 20; tries += 1) {
      made.add(this.#text(Math.floor(random() * this.#words.length), length(random) - 2));
    }
    return [...made];
  }

  /**
   * Joins words from `start` on until they have exactly `tokens` tokens; a word that is too long for the rest is
   * skipped.
   */
  #text(start: number, tokens: number): string {
    const words: string[] = [];
    for (let at = start, left = tokens; left > 0; at += 1) {
      const next = at % this.#words.length;
      const own = this.#tokens[next] ?? 1;
      if (own > left) continue;
      words.push(this.#words[next] ?? '');
      left -= own;
    }
    return words.join(' ');
  }
}

/** The texts as NDJSON, one per line; ids are numbered from `first`. */
export function documentLines(texts: readonly string[], first = 0): string {
  return texts.map((text, n) => `${JSON.stringify({ id: `d${first + n}`, text })}\n`).join('');
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
