import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Job } from '@embedmill/jobs';
import { editsOf, randomNumbers, sentence } from '../libs/tokenization/src/fake-texts.ts';
import { Embedmill, ndjson } from './embedmill.ts';

/**
 * `npm run bench -- living`: what changes to documents cost, through the whole product; `--parts metadata` measures one
 * part. With `--beside FOLDER`, a checkout of another version takes turns with this one in storing unchanged documents.
 */
const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '10000' },
    sentences: { type: 'string', default: '10000' },
    edits: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '5' },
    beside: { type: 'string' },
    parts: { type: 'string', default: 'unchanged,metadata,sentences' },
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

/** Seconds to store documents, and to store them again with different metadata. */
async function editMetadata(mill: Embedmill): Promise<object> {
  const collection = await mill.collection('metadata');
  const first = await timed(mill, collection, ndjson(documentsOf(0)));
  const edited = await timed(mill, collection, ndjson(documentsOf(1)));
  return {
    documents,
    embedded: { seconds: first.seconds, tokens: first.tokens },
    edited: { seconds: edited.seconds, tokens: edited.tokens, stored: edited.stored },
    timesAsFast: first.seconds / edited.seconds,
  };
}

/** The chunks that are embedded when a sentence of a long text is changed, inserted or removed. */
async function editSentences(mill: Embedmill): Promise<object> {
  const collection = await mill.collection('long');
  let parts = Array.from({ length: sentences }, newSentence);
  const stored = (): Promise<Job> => timed(mill, collection, ndjson([{ id: 'long', text: parts.join(' ') }]));
  const whole = await stored();
  const changed: number[] = [];
  for (let edit = 0; edit < edits; edit += 1) {
    parts = editsOf(parts, 3, random, newSentence)[edit % 3] ?? parts;
    const job = await stored();
    changed.push(job.chunks - job.reused);
  }
  const chunksEmbedded = { median: median(changed), p95: median(changed, 0.95), most: Math.max(...changed) };
  return { sentences, chunks: whole.chunks, edits, chunksEmbedded };
}

/** Seconds of a job of unchanged documents, in turns with the other version's. */
async function storeAgain(mill: Embedmill, beside: Embedmill | undefined): Promise<object> {
  const lines = ndjson(documentsOf(0));
  const taking = beside === undefined ? [mill] : [mill, beside];
  const collections = await Promise.all(taking.map((one) => one.collection('unchanged')));
  const jobs = (): Promise<Job[]> => inTurn(taking, (one, n) => timed(one, collections[n] ?? '', lines));
  await jobs();
  const taken: number[][] = [];
  for (let round = 0; round < rounds; round += 1) taken.push((await jobs()).map(({ seconds }) => seconds));
  const [now, other] = taking.map((_, n) => taken.map((seconds) => seconds[n] ?? NaN));
  const ratio = median(taken.map(([a = NaN, b = NaN]) => a / b));
  return { documents, now, ...(beside !== undefined && { beside: other, ratio }) };
}

async function inTurn<T, U>(items: readonly T[], does: (item: T, n: number) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (const [n, item] of items.entries()) results.push(await does(item, n));
  return results;
}

const mill = await Embedmill.up();
const beside =
  values.beside === undefined
    ? undefined
    : await Embedmill.up({ bin: resolve(values.beside, 'apps/cli/bin/embedmill.js') });
try {
  const report: Record<string, object> = {};
  const wanted = new Set(values.parts.split(','));
  if (wanted.has('unchanged')) report['unchanged'] = await storeAgain(mill, beside);
  if (wanted.has('metadata')) report['metadata'] = await editMetadata(mill);
  if (wanted.has('sentences')) report['sentences'] = await editSentences(mill);
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
} finally {
  await mill.stop();
  await beside?.stop();
}
