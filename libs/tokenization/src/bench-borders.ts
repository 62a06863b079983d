// Measures how many chunks an edit changes, and how fast chunks are cut, alternating between two boundary rules:
//   node libs/tokenization/src/bench-borders.ts
import { cutChunks } from './cut.ts';
import { editsOf, randomNumbers, sentence, tokensOf } from './fake-texts.ts';

const SENTENCES = 800;
const EDITS = 240;
const ROUNDS = 5;
const BOUNDARIES = ['content', 'sentence'] as const;

const random = randomNumbers(7);
const sentences = Array.from({ length: SENTENCES }, () => sentence(random));
for (const limits of [
  { capacity: 250, overlap: 0 },
  { capacity: 250, overlap: 32 },
  { capacity: 60, overlap: 8 },
]) {
  for (const boundary of BOUNDARIES) {
    const chunksOf = (parts: readonly string[]): string[] => {
      const text = parts.join(' ');
      const cuts = cutChunks(text, tokensOf(text), { ...limits, boundary });
      return Array.from(cuts, ({ start, end }) => text.slice(start, end));
    };
    const known = new Set(chunksOf(sentences));
    const changed = editsOf(sentences, EDITS, randomNumbers(11), sentence)
      .map((edited) => chunksOf(edited).filter((chunk) => !known.has(chunk)).length)
      .toSorted((a, b) => a - b);
    const mean = changed.reduce((sum, count) => sum + count, 0) / EDITS;
    const at = (share: number): number => changed[Math.ceil(share * EDITS) - 1] ?? 0;
    const figures = `mean ${mean.toFixed(1)}, median ${at(0.5)}, 95 % ${at(0.95)}, most ${at(1)}`;
    process.stdout.write(
      `${boundary}, ${limits.capacity} tokens, overlap ${limits.overlap}: ${known.size} chunks; changed: ${figures}\n`,
    );
  }
}

const text = Array.from({ length: 20_000 }, () => sentence(random)).join(' ');
const starts = tokensOf(text);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const boundary of BOUNDARIES) {
    const before = process.cpuUsage();
    let chunks = 0;
    for (const cut of cutChunks(text, starts, { capacity: 250, overlap: 32, boundary }))
      chunks += cut.to > 0 ? 1 : 0;
    const seconds = process.cpuUsage(before).user / 1e6;
    process.stdout.write(
      `${boundary}: ${chunks} chunks, ${(starts.length / seconds / 1e6).toFixed(0)} million tokens a CPU second\n`,
    );
  }
}
