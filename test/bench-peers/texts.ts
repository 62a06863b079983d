/** Documents of some 200 tokens: consecutive definitions of WordNet, short enough for a model of 256 tokens. */
import { readFile } from 'node:fs/promises';
import { DEMO_DOCUMENTS } from '../../apps/cli/src/entries.ts';

const WORDS = { least: 110, most: 150 };

/** The same texts on every machine. */
export async function texts(count: number): Promise<string[]> {
  const lines = (await readFile(DEMO_DOCUMENTS.english, 'utf8')).trimEnd().split('\n');
  const words = lines.flatMap((line) => (JSON.parse(line) as { text: string }).text.split(' '));
  let from = 0;
  return Array.from({ length: count }, (_, n) => {
    const length = WORDS.least + ((n * 17) % (WORDS.most - WORDS.least + 1));
    // After the last word, they begin again, shifted by a word.
    const some = Array.from(
      { length },
      (_, at) => words[(from + at + Math.floor((from + at) / words.length)) % words.length],
    );
    from += length;
    return some.join(' ');
  });
}
