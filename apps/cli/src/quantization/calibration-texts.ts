/** The texts that a model is quantized by, and those that the result is judged by. */
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { CommandError, usageError } from '../exit.ts';

export interface CalibrationTexts {
  calibration: string[];
  /** Others than those that it is quantized by. */
  judgment: string[];
}

const LEAST_TEXTS = 64;
/** More of them change nothing that can be seen, and take their time. */
const MOST_CALIBRATION = 512;
const MOST_JUDGMENT = 256;
/** Beside the texts of the file: what is rare in any, and reaches further than its words do. */
const ODD_TEXTS = [
  '',
  'a',
  '?',
  '...',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'the the the the the the the the the the the the the the the the',
  '1234567890 3.14159 -273.15 1e-10 0x1F 2026-11-30T12:00:00Z',
  'if (x[i] != null) { return f(x[i] << 2, "%s\\n"); } // TODO',
  'https://example.com/a/b?c=d&e=f#g user@example.com',
  'Ünïcödé ĉaŭ žluťoučký kůň Ελληνικά кириллица עברית عربي हिन्दी',
  '模型把文字变成向量。日本語の文章です。한국어 문장입니다.',
  '🙂🚀👩‍👩‍👧‍👦 ★☆ ∑∫√ ½ ™',
];

/** Of a file of NDJSON documents, a JSON array of them, or lines of text; packed with gzip or not. */
export async function readCalibrationTexts(file: string): Promise<CalibrationTexts> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw usageError(`${file} cannot be read: ${(error as Error).message}`);
  });
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const text = decoded(isPacked ? await promisify(gunzip)(bytes) : bytes, file);
  const texts = [...new Set(textsIn(text, file).filter((one) => one.trim() !== ''))];
  if (texts.length < LEAST_TEXTS)
    throw new CommandError(
      `${file} has ${texts.length === 0 ? 'no texts' : `${texts.length} different texts`}; at least ${LEAST_TEXTS} are required, ` +
        'like those that the model will embed: NDJSON with {"text": …} in each line, or one text per line',
    );
  const [calibration, judgment]: [string[], string[]] = [[], []];
  for (const [n, one] of texts.entries()) (n % 4 === 3 ? judgment : calibration).push(one);
  return {
    calibration: [...spread(calibration, MOST_CALIBRATION), ...ODD_TEXTS],
    judgment: spread(judgment, MOST_JUDGMENT),
  };
}

function decoded(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CommandError(`${file} is not valid UTF-8; re-encode it`, undefined, { cause: error });
  }
}

function textsIn(content: string, file: string): string[] {
  if (content.trimStart().startsWith('[')) {
    const documents = parsed(content, file);
    if (!Array.isArray(documents)) throw new CommandError(`${file} is not an array of documents`);
    return documents.map((document, n) => textOf(document, `${file}, document ${n + 1}`));
  }
  return content.split(/\r?\n/).map((line, n) => {
    const where = `${file}, line ${n + 1}`;
    return line.trimStart().startsWith('{') ? textOf(parsed(line, where), where) : line;
  });
}

function parsed(json: string, where: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new CommandError(`${where} is not JSON: ${(error as Error).message}`, undefined, { cause: error });
  }
}

function textOf(document: unknown, where: string): string {
  const { text } = (document ?? {}) as { text?: unknown };
  if (typeof text === 'string') return text;
  throw new CommandError(`${where} has no "text"`);
}

/** So many of them, from all over. */
function spread(texts: readonly string[], most: number): string[] {
  if (texts.length <= most) return [...texts];
  return Array.from({ length: most }, (_, n) => texts[Math.floor((n * texts.length) / most)] ?? '');
}
