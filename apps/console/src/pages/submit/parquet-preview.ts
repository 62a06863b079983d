import { cellOf, ROWS, type Preview } from './preview.ts';

/** The first rows of a Parquet file; reads no more of the file than they need. Rejects if it is not a Parquet file. */
export async function parquetPreview(file: File): Promise<Preview> {
  // Loaded on demand: large, and needed for this format only.
  const [{ parquetReadObjects, parquetMetadataAsync, parquetSchema }, compressors] = await Promise.all([
    import('hyparquet'),
    import('./parquet-compressors.ts').then((loaded) => loaded.COMPRESSORS),
  ]);
  const bytes = {
    byteLength: file.size,
    slice: (start: number, end?: number) => file.slice(start, end).arrayBuffer(),
  };
  const metadata = await parquetMetadataAsync(bytes);
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  const rowEnd = Math.min(ROWS, Number(metadata.num_rows));
  const objects = await parquetReadObjects({ file: bytes, metadata, compressors, rowStart: 0, rowEnd });
  return { columns, rows: objects.map((object) => columns.map((column) => cellOf(object[column]))) };
}
