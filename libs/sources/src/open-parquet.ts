import type * as parquet from './parquet.ts';

/** As in parquet.ts, whose decoders are loaded with the first file: most processes never read one. */
export async function openParquet(
  ...given: Parameters<typeof parquet.openParquet>
): ReturnType<typeof parquet.openParquet> {
  const loaded = await import('./parquet.ts');
  return loaded.openParquet(...given);
}
