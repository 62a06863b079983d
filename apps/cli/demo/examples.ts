// Makes of wordnet.ndjson, beside this file, a collection to measure searches by, in the layout of BEIR:
//   node apps/cli/demo/examples.ts FOLDER [definitions] && npx embedmill eval FOLDER
// Documents are the senses without their examples; questions are the examples, which have a sense's word in them, and
// each has one sense to be found. With `definitions` it is the other way round: documents are words with their examples,
// questions are the definitions, which describe a sense without naming it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [, , folder, kind = 'examples'] = process.argv;
if (folder === undefined || !['examples', 'definitions'].includes(kind))
  throw new Error('usage: node examples.ts FOLDER [definitions]');

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
  const examples = [...text.matchAll(EXAMPLE)].map(([, example = '']) => example);
  const bare = text.replaceAll(EXAMPLE, '').trim();
  const colon = bare.indexOf(': ');
  const [words, definition] = [bare.slice(0, colon), bare.slice(colon + 2)];
  const isByExample = kind === 'examples';
  corpus.push({
    _id: id,
    text: isByExample ? bare : [words, examples.join('; ')].filter((part) => part !== '').join(': '),
  });
  for (const [n, question] of (isByExample ? examples : [definition]).entries()) {
    if (question.split(' ').length < LEAST_WORDS) continue;
    const query = `${id} ${n + 1}`;
    queries.push({ _id: query, text: question });
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
