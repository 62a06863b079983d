import { formatOfName, previewOf, type NamedFile, type Preview } from './preview.ts';

/** So much of a file is looked at. */
const BYTES = 256 * 1024;

export interface Dropped extends NamedFile {
  readonly file: File;
  /** Undefined where it cannot be read here, but by the server: Parquet in gzip, a file that is a document by itself. */
  readonly preview: Preview | undefined;
}

/** What a file begins with. Rejects where it cannot be read. */
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
  // The server takes lines of documents for such, whatever the file is called.
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
