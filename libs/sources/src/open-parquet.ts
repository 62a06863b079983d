import type * as parquet from './parquet.ts';

/** Loads parquet.ts and its decoders with the first file, because most processes never read one. */
export async function openParquet(
  ...given: Parameters<typeof parquet.openParquet>
): ReturnType<typeof parquet.openParquet> {
  const loaded = await import('./parquet.ts');
  return loaded.openParquet(...given);
}
