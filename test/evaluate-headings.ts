import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEmbedder } from '@embedmill/embed';
import { spokenText, type DocumentStructure } from '@embedmill/jobs';
import { Parser, type ParsedDocument } from '@embedmill/parsing';
import { meanInterval } from '@embedmill/retrieval';
import { chunkStructured, Tokenizer } from '@embedmill/tokenization';

/**
 * What headings in front of chunks gain: `node test/evaluate-headings.ts FOLDER [--documents N] [--questions N]
 * [--context]`, of a folder of HTML. A question is the title of a section that has none below it, and that no other section of the folder has. It is
 * held out: taken from the text, and from the headings of its own section, so that it is found by its text and by what
 * stands above it alone. With `--context`, the heading above stands in the question, as in
 * "Backup: Options". Prints MRR@10 and recall@10 of the section's chunks among all chunks of the folder, by cosine,
 * and the difference with its 95 % bootstrap interval over questions.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    documents: { type: 'string', default: '400' },
    questions: { type: 'string', default: '1000' },
    context: { type: 'boolean', default: false },
  },
});
const MODEL = join(import.meta.dirname, '../models/all-MiniLM-L6-v2/tokenizer.json');
const ENTRY = new URL('../apps/cli/src/parsing.ts', import.meta.url);
const LEAST_CHARACTERS = 200;
const DEPTH = 10;

interface Question {
  text: string;
  document: number;
  start: number;
  end: number;
}

interface Variant {
  name: string;
  structured: boolean;
  headings: boolean;
}

const VARIANTS: Variant[] = [
  { name: 'title, borders anywhere', structured: false, headings: false },
  { name: 'title, borders at headings', structured: true, headings: false },
  { name: 'title and headings, borders at headings', structured: true, headings: true },
];

const [folder] = positionals;
if (folder === undefined) throw new Error('name a folder of HTML');
const documents = await parsedIn(folder, Number(values.documents));
const questions = heldOut(documents, Number(values.questions));
const tokenizer = await Tokenizer.load({ path: MODEL, maxTokens: 256 });
const embedder = await createEmbedder({ threads: 2 });
try {
  const asked = await embedded(
    questions.map(({ text }) => text),
    'query',
  );
  const measured: { name: string; ranks: number[]; recalls: number[] }[] = [];
  for (const variant of VARIANTS) measured.push({ name: variant.name, ...(await measure(variant, asked)) });
  for (const { name, ranks, recalls } of measured)
    print(`${name}: MRR@10 ${shown(ranks)}, recall@10 ${shown(recalls)}`);
  const [, borders, headings] = measured;
  const gains = (headings?.ranks ?? []).map((rank, n) => rank - (borders?.ranks[n] ?? 0));
  print(`headings gain ${shown(gains)} of MRR@10 over ${questions.length} questions`);
} finally {
  await embedder.close();
}

async function parsedIn(root: string, most: number): Promise<ParsedDocument[]> {
  const parser = new Parser(ENTRY);
  const names = (await readdir(root, { recursive: true })).filter((name) => /\.html?$/.test(name)).sort();
  const every = Math.max(1, names.length / most);
  const found: ParsedDocument[] = [];
  for (let at = 0; at < names.length; at += every) {
    const name = names[Math.floor(at)] ?? '';
    const bytes = await readFile(join(root, name));
    const document = await parser.parse({ bytes, name }).catch(() => undefined);
    if (document?.structure.sections !== undefined) found.push(document);
  }
  parser.close();
  return found;
}

/** Takes the questions out of the documents. */
function heldOut(all: ParsedDocument[], most: number): Question[] {
  const counts = new Map<string, number>();
  const keyOf = (heading: string): string =>
    heading
      .toLowerCase()
      .replace(/[\d.\s]+/g, ' ')
      .trim();
  for (const { structure } of all)
    for (const { headings } of structure.sections ?? []) {
      const key = keyOf(headings.at(-1) ?? '');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  const found: Question[] = [];
  for (const [document, parsed] of all.entries()) {
    const { sections = [] } = parsed.structure;
    const kept: NonNullable<DocumentStructure['sections']> = [];
    let text = parsed.text.slice(0, sections[0]?.start ?? 0);
    for (const [n, { start, headings }] of sections.entries()) {
      const own = parsed.text.slice(start, sections[n + 1]?.start);
      const heading = headings.at(-1) ?? '';
      const isLeaf = (sections[n + 1]?.headings.length ?? 0) <= headings.length;
      const isAsked =
        isLeaf &&
        headings.length > 1 &&
        own.startsWith(heading) &&
        own.length - heading.length > LEAST_CHARACTERS &&
        counts.get(keyOf(heading)) === 1 &&
        /\p{L}{3,}.*\s\S*\p{L}{3,}/u.test(heading);
      const body = isAsked ? own.slice(heading.length).trimStart() : own;
      const asked = values.context ? `${headings.at(-2)}: ${heading}` : heading;
      if (isAsked) found.push({ text: asked, document, start: text.length, end: text.length + body.length });
      kept.push({ start: text.length, headings: isAsked ? headings.slice(0, -1) : headings });
      text += body;
    }
    parsed.text = text;
    parsed.structure = { sections: kept };
  }
  const every = Math.max(1, found.length / most);
  return found.filter((_, n) => Math.floor(n / every) !== Math.floor((n - 1) / every));
}

async function measure({ structured, headings }: Variant, asked: Float32Array[]) {
  const cut = documents.map(({ title, text, structure }) => ({
    title,
    text,
    structure: structured ? structure : undefined,
  }));
  const chunking = { mode: 'tokens', overlap: 32, headings } as const;
  const chunked = await chunkStructured(tokenizer, cut, chunking);
  const chunks = chunked.flatMap(({ chunks: own }, document) => own.map((chunk) => ({ ...chunk, document })));
  const texts = chunks.map(({ document, start, end, headings: path }) => {
    const { title, text } = cut[document] ?? { title: undefined, text: '' };
    return spokenText({
      title,
      text: text.slice(start, end),
      structure: headings && path ? { headings: path } : undefined,
    });
  });
  const vectors = await embedded(texts, 'document');
  print(`${documents.length} documents, ${chunks.length} chunks`);
  const found = asked.map((question, n) => {
    const { document, start, end } = questions[n] ?? { document: -1, start: 0, end: 0 };
    const scores = vectors.map((vector) => dot(question, vector));
    const order = scores
      .map((_, chunk) => chunk)
      .sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0))
      .slice(0, DEPTH);
    return order.findIndex((chunk) => {
      const one = chunks[chunk];
      if (one?.document !== document) return false;
      const shared = Math.min(one.end, end) - Math.max(one.start, start);
      return shared > 0.5 * Math.min(one.end - one.start, end - start);
    });
  });
  return {
    ranks: found.map((rank) => (rank === -1 ? 0 : 1 / (rank + 1))),
    recalls: found.map((rank) => (rank === -1 ? 0 : 1)),
  };
}

async function embedded(texts: string[], role: 'query' | 'document'): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for await (const some of embedder.embed(texts, { role })) vectors.push(...some);
  return vectors;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let n = 0; n < a.length; n += 1) sum += (a[n] ?? 0) * (b[n] ?? 0);
  return sum;
}

function shown(each: readonly number[]): string {
  const { mean, low, high } = meanInterval(each);
  return `${mean.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
