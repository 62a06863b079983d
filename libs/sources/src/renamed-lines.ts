import { isUtf8 } from 'node:buffer';
import { parseJson, type Columns } from '@embedmill/jobs';
import { excessIn } from './line-bounds.ts';
import { MAX_LINE_BYTES, readLines, type Line } from './lines.ts';
import { faultLine, RowFault } from './row-fault.ts';
import { fieldColumns } from './table.ts';

type Fields = Record<string, unknown>;
const NEWLINE = Buffer.from('\n');

/**
 * Converts lines of NDJSON with other field names to documents, line by line. A line that is not a JSON object stays
 * unchanged, so that the document's check reports it.
 */
export async function* renamedLines(
  bytes: AsyncIterable<Uint8Array>,
  columns: Columns,
): AsyncGenerator<Uint8Array> {
  const documentOf = documentFrom(columns);
  let number = 0;
  for await (const group of readLines(bytes)) {
    const piece: Uint8Array[] = [];
    for (const line of group) {
      // Blank lines are skipped, but count as lines.
      for (; number < line.number - 1; number += 1) piece.push(NEWLINE);
      piece.push(renamed(line, documentOf), NEWLINE);
      number = line.number;
    }
    yield Buffer.concat(piece);
  }
}

function renamed({ bytes, length }: Line, documentOf: (fields: Fields) => Fields | RowFault): Buffer {
  if (bytes === null) {
    const message = `the line has ${length} bytes, but at most ${MAX_LINE_BYTES} are allowed; split the document`;
    return Buffer.from(faultLine(new RowFault('line_too_long', message)));
  }
  // Lines that will be refused anyway are not parsed.
  if (!isUtf8(bytes) || excessIn(bytes) !== undefined) return bytes;
  let value: unknown;
  try {
    value = parseJson(bytes.toString('utf8'));
  } catch {
    return bytes;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bytes;
  const document = documentOf(value as Fields);
  return Buffer.from(document instanceof RowFault ? faultLine(document) : JSON.stringify(document));
}

function documentFrom(columns: Columns): (fields: Fields) => Fields | RowFault {
  const { metadata } = columns;
  const names = fieldColumns(columns);
  const taken = new Set(names.map(([, name]) => name));
  return (given) => {
    const entries: [string, unknown][] = [];
    for (const [field, name] of names) if (Object.hasOwn(given, name)) entries.push([field, given[name]]);
    const others = Object.keys(given).filter((name) => !taken.has(name));
    if (metadata === undefined) {
      const double = others.find((name) => entries.some(([field]) => field === name));
      if (double !== undefined) {
        const message = `the ${double} is taken from another field, but the line also has a field of this name; set metadata to "rest" to keep that as metadata`;
        return new RowFault('invalid_document', message);
      }
      for (const name of others) entries.push([name, given[name]]);
      return Object.fromEntries(entries);
    }
    const kept = metadata === 'rest' ? others : metadata.filter((name) => Object.hasOwn(given, name));
    const nested = kept.flatMap((name): [string, unknown][] => {
      const value = given[name];
      const isOwn =
        name === 'metadata' && typeof value === 'object' && value !== null && !Array.isArray(value);
      return isOwn ? Object.entries(value) : [[name, value]];
    });
    // From entries, so that a field "__proto__" is a key like any other, and refused as one.
    return Object.fromEntries([
      ...entries,
      ...(nested.length > 0 ? [['metadata', Object.fromEntries(nested)]] : []),
    ]);
  };
}
