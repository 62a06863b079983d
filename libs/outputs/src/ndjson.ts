import { createGzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { shortestFloats } from '@embedmill/jobs';
import type { OutputRow } from './row.ts';

/**
 * Rows as lines of JSON, batch by batch. A document's row can be submitted again as it is; fields that the document
 * lacks are omitted. With `gzip`, the bytes are one gzip member; concatenated members are a valid gzip file.
 */
export function ndjsonPart(
  batches: AsyncIterable<readonly OutputRow[]>,
  { gzip }: { gzip: boolean },
): AsyncIterable<Uint8Array> {
  const lines = linesOf(batches);
  return gzip ? Readable.from(lines).pipe(createGzip()) : lines;
}

async function* linesOf(batches: AsyncIterable<readonly OutputRow[]>): AsyncGenerator<Uint8Array> {
  for await (const rows of batches) yield Buffer.from(rows.map((row) => `${lineOf(row)}\n`).join(''));
}

function lineOf({ id, tenant, text, title, image, source, metadata, structure, point }: OutputRow): string {
  const fields: [string, string][] = [
    ['id', JSON.stringify(id)],
    ['tenant', JSON.stringify(tenant)],
  ];
  if (title !== null) fields.push(['title', JSON.stringify(title)]);
  if (text !== '' || image === null) fields.push(['text', JSON.stringify(text)]);
  if (image !== null) fields.push(['image', JSON.stringify(image)]);
  if (source !== null) fields.push(['source', JSON.stringify(source)]);
  if (Object.keys(metadata).length > 0) fields.push(['metadata', JSON.stringify(metadata)]);
  if (structure !== undefined) fields.push(['structure', JSON.stringify(structure)]);
  if (point !== undefined) {
    const { chunk, chunks, start, end, timestamp } = point;
    for (const [name, value] of Object.entries({ chunk, chunks, start, end })) {
      fields.push([name, String(value)]);
    }
    if (timestamp !== null) fields.push(['timestamp', String(timestamp)]);
    for (const [name, vector] of Object.entries(point.dense)) {
      if (vector !== undefined) fields.push([name, JSON.stringify(shortestFloats(vector))]);
    }
    for (const [scheme, vector] of Object.entries(point.sparse)) {
      if (vector === undefined) continue;
      const indices = `[${vector.indices.join(',')}]`;
      fields.push([
        scheme,
        `{"indices":${indices},"values":${JSON.stringify(shortestFloats(vector.values))}}`,
      ]);
    }
  }
  return `{${fields.map(([name, value]) => `"${name}":${value}`).join(',')}}`;
}
