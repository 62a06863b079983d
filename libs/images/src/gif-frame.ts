import type { Pixels } from './resample.ts';

const HEADER_BYTES = 13;
const TRANSPARENT = 1;
const HAS_TABLE = 0x80;

/** The first frame of a GIF as Pillow reads it: opaque, despite a transparent colour, on a background of one colour. */
export interface GifFrame {
  /** The file, with its first frame made opaque. */
  bytes: Uint8Array;
  /** The part of the picture that the frame does not cover, if any. */
  bare: { left: number; top: number; right: number; bottom: number; colour: readonly number[] } | undefined;
}

/**
 * Reads a GIF up to its first frame (CompuServe's GIF89a, 1990). Decoders make transparent pixels black; Pillow drops
 * alpha, which leaves the palette's colour, often white. A file that is not a GIF is returned unchanged, for the
 * decoder to refuse.
 */
export function gifFrame(bytes: Uint8Array): GifFrame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const short = (at: number): number => (at + 2 <= bytes.length ? view.getUint16(at, true) : 0);
  const tableBytes = (packed: number): number => (packed & HAS_TABLE ? 3 << ((packed & 7) + 1) : 0);
  const globalBytes = tableBytes(bytes[10] ?? 0);
  const controls: number[] = [];
  let at = HEADER_BYTES + globalBytes;
  while (bytes[at] === 0x21) {
    // A graphic control extension: its label, 4, flags, two bytes of delay, the transparent colour.
    if (bytes[at + 1] === 0xf9) controls.push(at + 3);
    at += 2;
    while ((bytes[at] ?? 0) !== 0) at += (bytes[at] ?? 0) + 1;
    at += 1;
  }
  if (bytes[at] !== 0x2c) return { bytes, bare: undefined };
  const control = controls.at(-1);
  const transparent =
    control !== undefined && ((bytes[control] ?? 0) & TRANSPARENT) !== 0 ? bytes[control + 3] : undefined;
  const [left, top] = [short(at + 1), short(at + 3)];
  const [right, bottom] = [left + short(at + 5), top + short(at + 7)];
  const isWhole = left === 0 && top === 0 && right >= short(6) && bottom >= short(8);
  const localBytes = tableBytes(bytes[at + 9] ?? 0);
  const table = localBytes > 0 ? at + 10 : globalBytes > 0 ? HEADER_BYTES : undefined;
  const ground = transparent ?? 0;
  const colour =
    table === undefined
      ? [ground, ground, ground]
      : [0, 1, 2].map((channel) => bytes[table + 3 * ground + channel] ?? 0);
  return {
    bytes: opaque(bytes, controls),
    bare: isWhole ? undefined : { left, top, right, bottom, colour },
  };
}

function opaque(bytes: Uint8Array, controls: readonly number[]): Uint8Array {
  if (controls.every((at) => ((bytes[at] ?? 0) & TRANSPARENT) === 0)) return bytes;
  const copy = Uint8Array.from(bytes);
  for (const at of controls) copy[at] = (copy[at] ?? 0) & ~TRANSPARENT;
  return copy;
}

/** Paints the background where the frame does not cover the picture. */
export function withGround(
  pixels: Pixels,
  { left, top, right, bottom, colour }: NonNullable<GifFrame['bare']>,
): Pixels {
  const { width, height, channels, data } = pixels;
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      const isFrame = x >= left && x < right && y >= top && y < bottom;
      for (let channel = 0; channel < 3; channel += 1) {
        const own = data[channels === 1 ? at : at * 3 + channel];
        rgb[at * 3 + channel] = (isFrame ? own : colour[channel]) ?? 0;
      }
    }
  }
  return { width, height, channels: 3, data: rgb };
}
