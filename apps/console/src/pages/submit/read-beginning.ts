import { formatOfName, previewOf, type NamedFile, type Preview } from './preview.ts';

/** How much of a file is read. */
const BYTES = 256 * 1024;

export interface Dropped extends NamedFile {
  readonly file: File;
  /** Undefined if only the server can read it: gzipped Parquet, or a file that is one document. */
  readonly preview: Preview | undefined;
}

/** Reads the beginning of a file. Rejects if it cannot be read. */
export async function readBeginning(file: File): Promise<Dropped> {
  const named = formatOfName(file.name);
  const { format, gzip } = named;
  if (format === 'parquet') {
    const preview = gzip ? undefined : await (await import('./parquet-preview.ts')).parquetPreview(file);
    return { file, ...named, preview };
  }
  const bytes = gzip ? file.stream().pipeThrough(new DecompressionStream('gzip')) : file.stream();
  const { text, isWhole } = await beginningOf(bytes);
  if (format !== 'document') return { file, ...named, preview: previewOf(text, format, isWhole) };
  // Like the server: a file with lines of documents is NDJSON, whatever its name.
  const lines = text.trimStart().startsWith('{') ? previewOf(text, 'ndjson', isWhole) : undefined;
  return lines !== undefined && lines.rows.length > 0 && lines.columns.includes('id')
    ? { file, format: 'ndjson', gzip, preview: lines }
    : { file, ...named, preview: undefined };
}

async function beginningOf(bytes: ReadableStream<Uint8Array>): Promise<{ text: string; isWhole: boolean }> {
  const reader = bytes.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { text: text + decoder.decode(), isWhole: true };
      text += decoder.decode(value, { stream: true });
      size += value.length;
      if (size >= BYTES) return { text, isWhole: false };
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
