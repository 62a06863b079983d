import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEmbedder } from '@embedmill/embed';
import { spokenText } from '@embedmill/jobs';
import { resolveTokenizer } from '@embedmill/models';
import { Parser, type ParsedDocument } from '@embedmill/parsing';
import { chunkStructured, Tokenizer } from '@embedmill/tokenization';
import type { ScoredKey } from '@embedmill/retrieval';
import { clusteredInterval } from './headings/clustered-interval.ts';
import { ASKINGS, heldOut, type Asking, type Question } from './headings/held-out.ts';
import { fused, nearest, WordIndex } from './headings/search.ts';

/**
 * What headings in front of chunks gain: `node test/evaluate-headings.ts FOLDER… [--model NAME] [--documents N]
 * [--questions N] [--threads N]`, for folders of HTML. The questions are titles of sections, after these were removed
 * from the text and from their own sections' headings (see headings/held-out.ts). The section's chunks are searched for
 * among all chunks, by cosine, and by cosine and words. Prints MRR@10 and recall@10 of each form of chunks, and what
 * headings gain over the title alone, question by question, with 95 % bootstrap intervals over documents, because
 * questions of one document are alike.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'all-MiniLM-L6-v2' },
    documents: { type: 'string', default: '300' },
    questions: { type: 'string', default: '1000' },
    threads: { type: 'string', default: '2' },
  },
});
const ENTRY = new URL('../apps/cli/src/parsing.ts', import.meta.url);
const MODELS = join(import.meta.dirname, '../models');
const DEPTH = 10;
/** A section of fewer characters is one chunk and says little about its subject. */
const SHORT = 600;

/** The text in front of chunks, and where chunks end. */
interface Form {
  name: string;
  title: boolean;
  headings: boolean;
  structured: boolean;
}

const FORMS: readonly Form[] = [
  { name: 'title, borders anywhere', title: true, headings: false, structured: false },
  { name: 'nothing, borders at headings', title: false, headings: false, structured: true },
  { name: 'title, borders at headings', title: true, headings: false, structured: true },
  { name: 'title and headings, borders at headings', title: true, headings: true, structured: true },
];
const MODES = ['dense', 'hybrid'] as const;
type Mode = (typeof MODES)[number];
/**
 * For each way of asking and mode: for each question, the rank of the first chunk of its section, from 0; -1 if not
 * found.
 */
type Ranks = Record<Asking, Record<Mode, number[]>>;

if (positionals.length === 0) throw new Error('name a folder of HTML');
const documents = await parsedIn(positionals, Number(values.documents));
const questions = heldOut(documents, Number(values.questions));
const model = await resolveTokenizer(values.model, { modelsDir: MODELS, cacheDir: MODELS });
const tokenizer = await Tokenizer.load({ ...model, path: model.tokenizerPath });
const embedder = await createEmbedder({ model: values.model, threads: Number(values.threads) });
try {
  print(`${values.model}: ${documents.length} documents, ${questions.length} questions`);
  const found = new Map<Form, Ranks>();
  for (const form of FORMS) found.set(form, await measure(form));
  for (const asking of ASKINGS) for (const mode of MODES) report(found, asking, mode);
} finally {
  await embedder.close();
}

async function parsedIn(roots: readonly string[], most: number): Promise<ParsedDocument[]> {
  const parser = new Parser(ENTRY);
  const found: ParsedDocument[] = [];
  for (const root of roots) {
    const names = (await readdir(root, { recursive: true })).filter((name) => /\.html?$/.test(name)).sort();
    const every = Math.max(1, (names.length * roots.length) / most);
    for (let at = 0; at < names.length; at += every) {
      const name = names[Math.floor(at)] ?? '';
      const bytes = await readFile(join(root, name));
      const document = await parser.parse({ bytes, name }).catch(() => undefined);
      if (document?.structure.sections !== undefined) found.push(document);
    }
  }
  parser.close();
  return found;
}

async function measure({ title: hasTitle, structured, headings }: Form): Promise<Ranks> {
  const cut = documents.map(({ title, text, structure }) => ({
    title: hasTitle ? title : undefined,
    text,
    structure: structured ? structure : undefined,
  }));
  const chunked = await chunkStructured(tokenizer, cut, { mode: 'tokens', overlap: 32, headings });
  const chunks = chunked.flatMap(({ chunks: own }, document) => own.map((chunk) => ({ ...chunk, document })));
  const texts = chunks.map(({ document, start, end, headings: path }) => {
    const { title, text } = cut[document] ?? { title: undefined, text: '' };
    const under = headings && path ? { headings: path } : undefined;
    return spokenText({ title, text: text.slice(start, end), structure: under });
  });
  const vectors = await embedded(texts, 'document');
  const words = new WordIndex(texts);
  print(`${chunks.length} chunks`);
  const ranks: Ranks = {
    title: { dense: [], hybrid: [] },
    subject: { dense: [], hybrid: [] },
    parent: { dense: [], hybrid: [] },
  };
  for (const asking of ASKINGS) {
    const asked = questions.map((question) => question.asked[asking] ?? '');
    const asVectors = await embedded(
      asked.map((text) => text || '-'),
      'query',
    );
    for (const [n, question] of questions.entries()) {
      const near = nearest(asVectors[n] ?? new Float32Array(), vectors);
      ranks[asking].dense.push(rankIn(near, question));
      ranks[asking].hybrid.push(rankIn(fused(near, words.search(asked[n] ?? '')), question));
    }
  }
  return ranks;

  function rankIn(hits: readonly ScoredKey[], { document, start, end }: Question): number {
    return hits.slice(0, DEPTH).findIndex(({ key }) => {
      const one = chunks[Number(key)];
      if (one?.document !== document) return false;
      const shared = Math.min(one.end, end) - Math.max(one.start, start);
      return shared > 0.5 * Math.min(one.end - one.start, end - start);
    });
  }
}

function report(found: ReadonlyMap<Form, Ranks>, asking: Asking, mode: Mode): void {
  const own = questions.flatMap(({ asked }, n) => (asked[asking] === undefined ? [] : [n]));
  print(`\n${mode}, asked by ${asking}, ${own.length} questions`);
  for (const [{ name }, ranks] of found) {
    const each = own.map((n) => ranks[asking][mode][n]);
    const mrr = shown(each.map(gainOf), own);
    const recall = shown(
      each.map((rank) => (rank === -1 ? 0 : 1)),
      own,
    );
    print(`  ${name}: MRR@10 ${mrr}, recall@10 ${recall}`);
  }
  const [title, headings] = [...found.values()].slice(-2);
  const subsets: [string, (question: Question) => boolean][] = [
    ['all', () => true],
    ['below a heading that is not the title', ({ isBelow }) => isBelow],
    [
      `of these, in at most ${SHORT} characters`,
      ({ isBelow, start, end }) => isBelow && end - start <= SHORT,
    ],
  ];
  for (const [name, isIn] of subsets) {
    const some = own.filter((n) => questions.slice(n, n + 1).some(isIn));
    if (some.length === 0) continue;
    const gains = some.map((n) => gainOf(headings?.[asking][mode][n]) - gainOf(title?.[asking][mode][n]));
    print(`  headings gain ${shown(gains, some)} of MRR@10 over ${some.length} questions, ${name}`);
  }
}

async function embedded(texts: string[], role: 'query' | 'document'): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for await (const some of embedder.embed(texts, { role })) vectors.push(...some);
  return vectors;
}

function gainOf(rank: number | undefined): number {
  return rank === undefined || rank === -1 ? 0 : 1 / (rank + 1);
}

/** Formats the mean of these numbers over the questions. */
function shown(each: readonly number[], of: readonly number[]): string {
  const clusters = of.map((n) => questions[n]?.document ?? -1);
  const { mean, low, high } = clusteredInterval(each, clusters);
  return `${mean.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
