import type { Compressors } from 'hyparquet';
import {
  decompressBrotli,
  decompressGzip,
  decompressLz4,
  decompressLz4Raw,
  decompressZstd,
} from 'hyparquet-compressors';

/** Without Snappy’s WebAssembly, which the page’s policy does not let run: hyparquet itself reads Snappy. */
export const COMPRESSORS: Compressors = {
  GZIP: decompressGzip,
  BROTLI: decompressBrotli,
  ZSTD: (bytes) => decompressZstd(bytes),
  LZ4: decompressLz4,
  LZ4_RAW: decompressLz4Raw,
};
