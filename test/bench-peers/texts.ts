/** Documents of some 200 tokens: neighbouring definitions of WordNet, so long that no model of 256 tokens cuts one. */
import { readFile } from 'node:fs/promises';
import { DEMO_DOCUMENTS } from '../../apps/cli/src/entries.ts';

const WORDS = { least: 110, most: 150 };

/** The same on each machine. */
export async function texts(count: number): Promise<string[]> {
  const lines = (await readFile(DEMO_DOCUMENTS.english, 'utf8')).trimEnd().split('\n');
  const words = lines.flatMap((line) => (JSON.parse(line) as { text: string }).text.split(' '));
  let from = 0;
  return Array.from({ length: count }, (_, n) => {
    const length = WORDS.least + ((n * 17) % (WORDS.most - WORDS.least + 1));
    // Past the end of the words they begin again, a word further on.
    const some = Array.from(
      { length },
      (_, at) => words[(from + at + Math.floor((from + at) / words.length)) % words.length],
    );
    from += length;
    return some.join(' ');
  });
}
