// Writes wordnet.ndjson beside this file from a WordNet 3.0 database folder (Debian: wordnet-base):
//   node apps/cli/demo/generate.ts /usr/share/wordnet
// With "-" behind the folder, to standard output instead.
// The same folder always gives the same file. The file formats are those of WordNet's manual pages
// wndb(5), cntlist(5) and lexnames(5).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How many documents the sample has. */
const SENSES = 4500;

/** Words of which every sense is in the sample, however rare. */
const WANTED = [
  ...['bank', 'big', 'large', 'river', 'money'],
  ...[
    'king',
    'queen',
    'man',
    'woman',
    'uncle',
    'aunt',
    'prince',
    'princess',
    'actor',
    'actress',
    'boy',
    'girl',
  ],
  ...[
    'umbrella',
    'telescope',
    'microscope',
    'volcano',
    'insomnia',
    'photosynthesis',
    'thermometer',
    'compass',
  ],
  ...[
    'refrigerator',
    'earthquake',
    'vaccine',
    'lighthouse',
    'nostalgia',
    'eclipse',
    'parachute',
    'bee',
    'honey',
  ],
];

/** The lexicographer files by number, lexnames(5). */
const LEXNAMES = (
  'adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body ' +
  'noun.cognition noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive ' +
  'noun.object noun.person noun.phenomenon noun.plant noun.possession noun.process noun.quantity ' +
  'noun.relation noun.shape noun.state noun.substance noun.time verb.body verb.change verb.cognition ' +
  'verb.communication verb.competition verb.consumption verb.contact verb.creation verb.emotion verb.motion ' +
  'verb.perception verb.possession verb.social verb.stative verb.weather adj.ppl'
).split(' ');

const PARTS = [
  { file: 'noun', letter: 'n', name: 'noun' },
  { file: 'verb', letter: 'v', name: 'verb' },
  { file: 'adj', letter: 'a', name: 'adjective' },
] as const;
type Part = (typeof PARTS)[number];

/** What a demo need not show: senses that WordNet itself marks as insults. */
const INSULT = /\b(slur|disparaging|derogatory|obscene|offensive (term|name|word))/;

interface Sense {
  id: string;
  text: string;
  metadata: { word: string; words: string[]; pos: string; lexname: string; frequency: number };
}

/** `word|letter|number of the sense` → how often it was tagged in WordNet's corpora. */
function tagCounts(folder: string): Map<string, number> {
  const counts = new Map<string, number>();
  const letters: Record<string, string> = { 1: 'n', 2: 'v', 3: 'a', 5: 'a' };
  for (const line of lines(folder, 'cntlist.rev')) {
    const [key = '', number = '', count = ''] = line.split(' ');
    const [word = '', rest = ''] = key.split('%');
    counts.set(`${word}|${letters[rest.charAt(0)] ?? ''}|${number}`, Number(count));
  }
  return counts;
}

/** `word|offset of the synset` → the number of the sense among the word's senses, from 1. */
function senseNumbers(folder: string, part: Part): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const line of lines(folder, `index.${part.file}`)) {
    const fields = line.trimEnd().split(' ');
    const offsets = fields.slice(fields.length - Number(fields[2]));
    offsets.forEach((offset, at) => numbers.set(`${fields[0]}|${offset}`, at + 1));
  }
  return numbers;
}

function sensesOf(folder: string, part: Part, counts: Map<string, number>): Sense[] {
  const numbers = senseNumbers(folder, part);
  return lines(folder, `data.${part.file}`).map((line) => {
    const bar = line.indexOf(' | ');
    const fields = line.slice(0, bar).split(' ');
    const [offset = '', lexFile = '', , wordCount = ''] = fields;
    const words = Array.from({ length: parseInt(wordCount, 16) }, (_, at) => {
      const written = (fields[4 + 2 * at] ?? '').replace(/\([a-z]+\)$/, '');
      const number = numbers.get(`${written.toLowerCase()}|${offset}`) ?? 1;
      const count = counts.get(`${written.toLowerCase()}|${part.letter}|${number}`) ?? 0;
      return { written, number, count, plain: written.replaceAll('_', ' ') };
    });
    // Its most frequent word names a sense: "boy" rather than "male_child".
    const named = words.reduce((best, word) => (word.count > best.count ? word : best));
    const ordered = [named, ...words.filter((word) => word !== named)].map(({ plain }) => plain);
    return {
      id: `${named.written}.${part.letter}.${String(named.number).padStart(2, '0')}`,
      text: `${ordered.join(', ')}: ${line.slice(bar + 3).trim()}`,
      metadata: {
        word: named.plain,
        words: ordered,
        pos: part.name,
        lexname: LEXNAMES[Number(lexFile)] ?? '',
        frequency: words.reduce((sum, { count }) => sum + count, 0),
      },
    };
  });
}

function lines(folder: string, name: string): string[] {
  const all = readFileSync(join(folder, name), 'utf8').split('\n');
  return all.filter((line) => line !== '' && !line.startsWith('  '));
}

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: node generate.ts FOLDER_OF_WORDNET [-]');
const counts = tagCounts(folder);
const wanted = new Set(WANTED);
const byId = (a: Sense, b: Sense) => (a.id < b.id ? -1 : 1);
const all = PARTS.flatMap((part) => sensesOf(folder, part, counts)).filter(({ text }) => !INSULT.test(text));
const isWanted = ({ metadata }: Sense) => metadata.words.some((word) => wanted.has(word));
const frequent = all
  .filter((sense) => !isWanted(sense))
  .sort((a, b) => b.metadata.frequency - a.metadata.frequency || byId(a, b));
const must = all.filter(isWanted);
const sample = [...must, ...frequent.slice(0, SENSES - must.length)].sort(byId);
const written = sample.map((sense) => `${JSON.stringify(sense)}\n`).join('');
if (process.argv[3] === '-') {
  process.stdout.write(written);
} else {
  writeFileSync(join(import.meta.dirname, 'wordnet.ndjson'), written);
  process.stdout.write(`${sample.length} senses, ${Buffer.byteLength(written)} bytes\n`);
}
