import { createReadStream } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { CommandError } from '../exit.ts';

/**
 * A collection of documents, questions and judgments in the layout of BEIR (Thakur et al., 2021): `corpus.jsonl`,
 * `queries.jsonl`, and `qrels/test.tsv` or `qrels.jsonl`.
 */
export interface BeirFolder {
  corpus: string;
  questions: Question[];
}

/** A question with its judgments: how relevant each document is to it, by id; 0 and less means not relevant. */
export interface Question {
  id: string;
  text: string;
  relevance: ReadonlyMap<string, number>;
}

const idSchema = z.union([z.string(), z.number()]).transform(String);
const corpusLine = z.looseObject({ _id: idSchema, title: z.string().nullish(), text: z.string().nullish() });
const queryLine = z.looseObject({ _id: idSchema, text: z.string() });
const qrelsLine = z.looseObject({
  'query-id': idSchema,
  'corpus-id': idSchema,
  score: z.coerce.number(),
});

/** Reads questions and judgments. The corpus, which may be large, is read by `corpusDocuments`. */
export async function readBeirFolder(folder: string, split: string): Promise<BeirFolder> {
  const corpus = join(folder, 'corpus.jsonl');
  await access(corpus).catch(() => {
    throw new CommandError(`${folder} has no corpus.jsonl; eval reads folders in BEIR’s layout`);
  });
  const judgments = await readQrels(folder, split);
  const questions: Question[] = [];
  for await (const { _id: id, text } of jsonLines(join(folder, 'queries.jsonl'), queryLine)) {
    const relevance = judgments.get(id);
    if (relevance !== undefined && [...relevance.values()].some((grade) => grade > 0))
      questions.push({ id, text, relevance });
  }
  if (questions.length === 0)
    throw new CommandError(`no query of ${folder} has a relevant document in its qrels`);
  return { corpus, questions };
}

/** A document of the corpus, as it is submitted. */
export interface CorpusDocument {
  id: string;
  text: string;
  title?: string;
}

/** The corpus as documents to submit. Documents without title and text are left out: there is nothing to embed. */
export async function* corpusDocuments(corpus: string): AsyncGenerator<CorpusDocument> {
  for await (const { _id: id, title, text } of jsonLines(corpus, corpusLine)) {
    const [heading, body] = [title?.trim() ?? '', text?.trim() ?? ''];
    if (body !== '') yield heading === '' ? { id, text: body } : { id, text: body, title: heading };
    else if (heading !== '') yield { id, text: heading };
  }
}

async function readQrels(folder: string, split: string): Promise<Map<string, Map<string, number>>> {
  const judgments = new Map<string, Map<string, number>>();
  const judge = (query: string, document: string, score: number) => {
    const of = judgments.get(query) ?? new Map<string, number>();
    judgments.set(query, of.set(document, score));
  };
  const named = await readdir(join(folder, 'qrels')).catch(() => []);
  const only = named.filter((name) => name.endsWith('.tsv'));
  const tables = [
    join('qrels', `${split}.tsv`),
    'qrels.tsv',
    // If there is only one table, the split's name does not matter.
    ...(only.length === 1 ? only.map((name) => join('qrels', name)) : []),
  ];
  for (const name of tables) {
    const file = join(folder, name);
    if (!(await exists(file))) continue;
    for await (const { line, number } of lines(file)) {
      const [query = '', document = '', score] = line.split('\t');
      if (number === 1 && !Number.isFinite(Number(score))) continue;
      if (score === undefined || !Number.isFinite(Number(score)))
        throw new CommandError(
          `${file}, line ${number}: expected a query id, a document id and a score, separated by tabs`,
        );
      judge(query, document, Number(score));
    }
    return judgments;
  }
  const file = join(folder, 'qrels.jsonl');
  if (!(await exists(file)))
    throw new CommandError(`${folder} has no judgments: neither ${tables.join(', ')} nor qrels.jsonl`);
  for await (const { 'query-id': query, 'corpus-id': document, score } of jsonLines(file, qrelsLine))
    judge(query, document, score);
  return judgments;
}

async function* jsonLines<T>(file: string, schema: z.ZodType<T>): AsyncGenerator<T> {
  for await (const { line, number } of lines(file)) {
    const parsed = schema.safeParse(jsonOf(line));
    if (parsed.success) yield parsed.data;
    else {
      const { path = [], message = '' } = parsed.error.issues[0] ?? {};
      throw new CommandError(`${file}, line ${number}: ${[...path, message].join(': ')}`);
    }
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The non-blank lines of a file, numbered from 1. */
async function* lines(file: string): AsyncGenerator<{ line: string; number: number }> {
  let number = 0;
  const stream = createReadStream(file);
  const opened = new Promise<void>((resolve, reject) =>
    stream.once('open', () => resolve()).once('error', reject),
  );
  await opened.catch((error: unknown) => {
    throw new CommandError(`${file} cannot be read: ${(error as Error).message}`);
  });
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    number += 1;
    if (line.trim() !== '') yield { line, number };
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
