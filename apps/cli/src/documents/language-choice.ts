import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { InvalidArgumentError } from 'commander';
import { languageSchema, type Language } from '@embedmill/jobs';
import { openParquet, RowFault } from '@embedmill/sources';
import { languageOfTexts } from '@embedmill/sparse-weighting';
import { usageError } from '../exit.ts';
import { documentSource } from './document-source.ts';

/** The bundled model for about a hundred languages; the default model reads only English. */
export const MULTILINGUAL_MODEL = 'multilingual-e5-small-int8';

/** How much of a file is read to detect its language. */
const SAMPLE_BYTES = 1 << 18;

/** Primary subtags of BCP 47, as people write them. */
const BY_TAG: Record<string, Language> = {
  ar: 'arabic',
  da: 'danish',
  de: 'german',
  en: 'english',
  es: 'spanish',
  fi: 'finnish',
  fr: 'french',
  hu: 'hungarian',
  it: 'italian',
  ja: 'japanese',
  ko: 'korean',
  nb: 'norwegian',
  nl: 'dutch',
  nn: 'norwegian',
  no: 'norwegian',
  pt: 'portuguese',
  ro: 'romanian',
  ru: 'russian',
  sv: 'swedish',
  th: 'thai',
  tr: 'turkish',
  zh: 'chinese',
};

export const LANGUAGES_SAID = `${languageSchema.options.join(', ')}; or a tag such as zh, ja, de-AT`;

/** Parses a language of an option, for commander: its name, or its tag. */
export function languageOf(given: string): Language {
  const name = given.toLowerCase();
  const known = languageSchema.safeParse(name);
  const language = known.success ? known.data : BY_TAG[name.split(/[-_]/)[0] ?? ''];
  if (language === undefined) throw new InvalidArgumentError(`Choose one of ${LANGUAGES_SAID}.`);
  return language;
}

/** The model for texts in a language; undefined if the default one suits it. */
export function modelReading(language: Language): string | undefined {
  return language === 'english' || language === 'none' ? undefined : MULTILINGUAL_MODEL;
}

/** The language of the first documents of a file. Throws a usage error for a file that cannot be read. */
export async function languageOfFile(file: string): Promise<Language> {
  const source = await documentSource(file);
  if (source.format === 'parquet') return languageOfTexts(await stringsOfParquet(file));
  const bytes = source.gzip === true ? source.stream().pipe(createGunzip()) : source.stream();
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of bytes) {
      parts.push(part as Buffer);
      size += (part as Buffer).length;
      if (size >= SAMPLE_BYTES) break;
    }
  } catch (error) {
    throw usageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  const lines = Buffer.concat(parts).toString('utf8').split('\n');
  // The last one may be truncated.
  const whole = size >= SAMPLE_BYTES && lines.length > 1 ? lines.slice(0, -1) : lines;
  return languageOfTexts(source.format === 'csv' ? whole : whole.flatMap(stringsOfLine));
}

/** What the first rows say, of a file that is read where its rows are. */
async function stringsOfParquet(file: string): Promise<string[]> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const read = async (start: number, end: number) => {
      const bytes = new Uint8Array(end - start);
      await handle.read(bytes, 0, bytes.length, start);
      return bytes;
    };
    const { columns, rows } = await openParquet({ size, read });
    const texts: string[] = [];
    let characters = 0;
    for await (const group of rows)
      for (const row of group) {
        if (row === null || row instanceof RowFault) continue;
        const strings = row.flatMap((value, n) => (columns[n] === 'id' ? [] : stringsOf(value)));
        texts.push(...strings);
        characters += strings.reduce((sum, text) => sum + text.length, 0);
        if (characters >= SAMPLE_BYTES) return texts;
      }
    return texts;
  } catch (error) {
    throw usageError(`${file} cannot be read: ${(error as Error).message}`);
  } finally {
    await handle.close();
  }
}

/** The text of a document: its strings, without field names. */
function stringsOfLine(line: string): string[] {
  try {
    return stringsOf(JSON.parse(line));
  } catch {
    return [];
  }
}

function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(stringsOf);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  return Object.entries(value).flatMap(([name, one]) => (name === 'id' ? [] : stringsOf(one)));
}
