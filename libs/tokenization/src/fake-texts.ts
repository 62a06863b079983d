/** Generated texts, for tests and benchmarks of chunking. */
export type Random = (bound: number) => number;

/** Pseudo-random integers below `bound`, reproducible by seed (xorshift32, Marsaglia 2003). */
export function randomNumbers(seed: number): Random {
  let state = seed;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

const WORDS = (
  'time people way water word oil sound work place year live me back give most very after thing our just name good ' +
  'sentence man think say great where help through much before line right too mean old any same tell boy follow came ' +
  'want show also around form three small set put end does another well large must big even such because turn here why ' +
  'ask went men read need land different home us move try kind hand picture again change off play spell air away animal ' +
  'house point page letter mother answer found study still learn should America world'
).split(' ');

export const words = (random: Random, count: number): string[] =>
  Array.from({ length: count }, () => WORDS[random(WORDS.length)] ?? '');

export const sentence = (random: Random): string =>
  `The ${words(random, 3 + random(14) + random(14)).join(' ')}.`;

/** A minimal tokenizer: the starts of words and punctuation. */
export const tokensOf = (text: string): Int32Array =>
  Int32Array.from(Array.from(text.matchAll(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu), ({ index }) => index));

/** Variants of a text's parts, each with one part inserted, removed or changed at a random place. */
export function editsOf(
  parts: readonly string[],
  count: number,
  random: Random,
  part: (random: Random) => string,
): string[][] {
  return Array.from({ length: count }, (_, n) => {
    const at = random(parts.length);
    if (n % 3 === 0) return parts.toSpliced(at, 0, part(random));
    return n % 3 === 1 ? parts.toSpliced(at, 1) : parts.with(at, part(random));
  });
}
