const TAG = { compression: 259, photometric: 262, sampleFormat: 339 } as const;
const UNSIGNED = 1;
const JPEG: ReadonlySet<number> = new Set([6, 7]);
const YCBCR = 6;

/** The colours that are decoded correctly: black or white as 0, RGB, palettes, masks, CMYK, YCbCr within JPEG. */
const READ: ReadonlySet<number> = new Set([0, 1, 2, 3, 4, 5, YCBCR]);
const COLOURS: Record<number, string> = {
  8: 'CIE L*a*b* colours',
  9: 'ICC L*a*b* colours',
  10: 'ITU L*a*b* colours',
  32_803: 'the raw data of a camera',
  32_844: 'LogL colours',
  32_845: 'LogLuv colours',
};

/**
 * The feature in the first picture of a TIFF that the decoder would misread, by its tags (Adobe's TIFF 6.0, 1992);
 * undefined if there is none, or if the file is not a TIFF.
 */
export function unreadInTiff(bytes: Uint8Array): string | undefined {
  const tags = tagsOf(bytes);
  const photometric = tags.get(TAG.photometric)?.[0];
  const compression = tags.get(TAG.compression)?.[0] ?? 1;
  if (photometric !== undefined && !READ.has(photometric))
    return COLOURS[photometric] ?? `colours of kind ${photometric}`;
  if (photometric === YCBCR && !JPEG.has(compression)) return 'YCbCr colours that are not compressed as JPEG';
  const format = tags.get(TAG.sampleFormat)?.find((one) => one !== UNSIGNED);
  return format === undefined ? undefined : 'samples that are signed or fractions';
}

/** The 16-bit values of the first directory's tags, by tag number. */
function tagsOf(bytes: Uint8Array): Map<number, number[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const short = (at: number): number => (at + 2 <= bytes.length ? view.getUint16(at, little) : 0);
  const long = (at: number): number => (at + 4 <= bytes.length ? view.getUint32(at, little) : 0);
  const tags = new Map<number, number[]>();
  const directory = long(4);
  const count = short(directory);
  for (let n = 0; n < count; n += 1) {
    const entry = directory + 2 + 12 * n;
    if (entry + 12 > bytes.length) break;
    const isShort = short(entry + 2) === 3;
    const length = Math.min(long(entry + 4), 16);
    if (!isShort && length > 1) continue;
    const values = length * 2 > 4 ? long(entry + 8) : entry + 8;
    tags.set(
      short(entry),
      Array.from({ length }, (_, at) => (isShort ? short(values + 2 * at) : long(entry + 8))),
    );
  }
  return tags;
}
