import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Job } from '@embedmill/jobs';
import { editsOf, randomNumbers, sentence } from '../libs/tokenization/src/fake-texts.ts';
import { Embedmill, ndjson } from './embedmill.ts';

/**
 * `npm run bench:living`: what changes of documents cost, through the whole product. With `--beside FOLDER`, a checkout of
 * another version takes turns with this one in storing documents that are unchanged.
 */
const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '10000' },
    sentences: { type: 'string', default: '10000' },
    edits: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '5' },
    beside: { type: 'string' },
  },
});
const [documents, sentences, edits, rounds] = [
  Number(values.documents),
  Number(values.sentences),
  Number(values.edits),
  Number(values.rounds),
];

const random = randomNumbers(5);
const newSentence = (): string => sentence(random);
const documentsOf = (version: number) =>
  Array.from({ length: documents }, (_, n) => ({ ...texts[n], metadata: { version, n } }));
const texts = Array.from({ length: documents }, (_, n) => ({
  id: `d${n}`,
  text: Array.from({ length: 2 }, newSentence).join(' '),
}));

const median = (numbers: readonly number[], share = 0.5): number =>
  numbers.toSorted((a, b) => a - b)[Math.ceil(share * numbers.length) - 1] ?? NaN;

async function timed(mill: Embedmill, collection: string, lines: string): Promise<Job> {
  return mill.finished(await mill.submit(collection, lines), 3600);
}

const mill = await Embedmill.up();
const other =
  values.beside === undefined
    ? undefined
    : await Embedmill.up({ bin: resolve(values.beside, 'apps/cli/bin/embedmill.js') });
try {
  const collection = await mill.collection('metadata');
  const first = await timed(mill, collection, ndjson(documentsOf(0)));
  const edited = await timed(mill, collection, ndjson(documentsOf(1)));
  const metadata = {
    documents,
    embedded: { seconds: first.seconds, tokens: first.tokens },
    edited: { seconds: edited.seconds, tokens: edited.tokens, stored: edited.stored },
    timesAsFast: first.seconds / edited.seconds,
  };

  const long = await mill.collection('long');
  const parts = Array.from({ length: sentences }, newSentence);
  const lineOf = (some: readonly string[]): string => ndjson([{ id: 'long', text: some.join(' ') }]);
  const whole = await timed(mill, long, lineOf(parts));
  const changed: number[] = [];
  for (const some of editsOf(parts, edits, random, newSentence)) {
    const job = await timed(mill, long, lineOf(some));
    changed.push(job.chunks - job.reused);
    await timed(mill, long, lineOf(parts));
  }
  const oneSentence = {
    ...{ sentences, chunks: whole.chunks, edits: changed.length },
    chunksEmbedded: { median: median(changed), p95: median(changed, 0.95), most: Math.max(...changed) },
  };

  const unchanged: { now: number[]; beside: number[] } = { now: [], beside: [] };
  const lines = ndjson(documentsOf(1));
  const besides = other && (await other.collection('unchanged'));
  if (other !== undefined && besides !== undefined) await timed(other, besides, lines);
  for (let round = 0; round < rounds; round += 1) {
    unchanged.now.push((await timed(mill, collection, lines)).seconds);
    if (other !== undefined && besides !== undefined)
      unchanged.beside.push((await timed(other, besides, lines)).seconds);
  }
  const ratios = unchanged.beside.map((seconds, n) => (unchanged.now[n] ?? NaN) / seconds);
  const again = { documents, seconds: median(unchanged.now), ...(other && { toBeside: median(ratios), unchanged }) };
  process.stdout.write(`${JSON.stringify({ metadata, oneSentence, unchanged: again }, null, 2)}\n`);
} finally {
  await mill.stop();
  await other?.stop();
}
