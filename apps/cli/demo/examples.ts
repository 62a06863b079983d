// Makes of wordnet.ndjson, beside this file, a collection to measure searches by, in the layout of BEIR:
//   node apps/cli/demo/examples.ts FOLDER && npx embedmill eval FOLDER
// Documents are the senses without their examples; questions are the examples, of which each has one sense to be found.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: node examples.ts FOLDER');

/** Shorter ones are phrases that say little. */
const LEAST_WORDS = 4;
const EXAMPLE = /;? "([^"]+)"/g;

const corpus: object[] = [];
const queries: object[] = [];
const judgments: object[] = [];
for (const line of readFileSync(join(import.meta.dirname, 'wordnet.ndjson'), 'utf8')
  .trimEnd()
  .split('\n')) {
  const { id, text } = JSON.parse(line) as { id: string; text: string };
  corpus.push({ _id: id, text: text.replaceAll(EXAMPLE, '') });
  for (const [n, [, example = '']] of [...text.matchAll(EXAMPLE)].entries()) {
    if (example.split(' ').length < LEAST_WORDS) continue;
    const query = `${id} ${n + 1}`;
    queries.push({ _id: query, text: example });
    judgments.push({ 'query-id': query, 'corpus-id': id, score: 1 });
  }
}

mkdirSync(folder, { recursive: true });
const write = (name: string, rows: object[]): void =>
  writeFileSync(join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
write('corpus.jsonl', corpus);
write('queries.jsonl', queries);
write('qrels.jsonl', judgments);
process.stdout.write(`${corpus.length} documents, ${queries.length} questions\n`);
