import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it, test } from 'vitest';
import { decodeImage, type ImagePreparation } from './decode.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const fixture = (name: string) => readFile(join(FIXTURES, name));

type Case = Required<Pick<ImagePreparation, 'size' | 'resize' | 'interpolation'>> & {
  image: string;
} & ({ rgb: string; sha256?: never } | { sha256: string; rgb?: never });

const reference = JSON.parse(readFileSync(join(FIXTURES, 'preprocessing-reference.json'), 'utf8')) as Case[];

const clip: ImagePreparation = { size: 24, resize: 'shortest' };
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: { code?: string }) => error.code,
  );

describe('decodeImage returns exactly the reference’s bytes', () => {
  test.each(reference)(
    '$image, $size $resize $interpolation',
    async ({ image, rgb, sha256, ...preparation }) => {
      const pixels = await decodeImage(await fixture(image), preparation);
      if (rgb === undefined) expect(createHash('sha256').update(pixels).digest('hex')).toBe(sha256);
      else expect(Buffer.from(pixels)).toEqual(Buffer.from(rgb, 'base64'));
    },
  );
});

const FORMATS = join(FIXTURES, 'formats');
const formats = Object.entries(
  JSON.parse(readFileSync(join(FORMATS, 'formats-reference.json'), 'utf8')) as Record<string, string | null>,
);

describe('whatever way a format has of saying it, a picture is read as Pillow reads it, or refused', () => {
  test.each(formats.filter(([, digest]) => digest !== null))('read: %s', async (name, digest) => {
    // Pictures 24 pixels high are cropped, not scaled.
    const pixels = await decodeImage(await readFile(join(FORMATS, name)), clip);
    expect(createHash('sha256').update(pixels).digest('hex')).toBe(digest);
  });

  test.each(formats.filter(([, digest]) => digest === null))('refused: %s', async (name) => {
    await expect(decodeImage(await readFile(join(FORMATS, name)), clip)).rejects.toMatchObject({
      code: 'image_unreadable',
      message: expect.stringMatching(/convert it/) as string,
    });
  });

  test('grey of 16 bits is scaled, where Pillow would make nearly all of it white', async () => {
    const grey = Uint16Array.from({ length: 24 * 24 }, (_, n) => n * 113);
    for (const format of ['png', 'tiff'] as const) {
      const image = sharp(grey, { raw: { width: 24, height: 24, channels: 1 } });
      // Lossless: by default, a TIFF is compressed as JPEG.
      const grey16 = image.toColourspace('grey16');
      const bytes = await (format === 'png' ? grey16.png() : grey16.tiff({ compression: 'none' })).toBuffer();
      const pixels = await decodeImage(bytes, clip);
      for (const [n, value] of grey.entries())
        expect(Math.abs(pixels[n * 3]! - value / 256)).toBeLessThanOrEqual(2);
    }
  });

  test('a GIF or TIFF of any bytes is read or refused, and never hangs', async () => {
    for (const name of ['bare-transparent.gif', 'planar.tiff', 'white-transparent.gif', 'big-endian.tiff']) {
      const whole = await readFile(join(FORMATS, name));
      for (let round = 0; round < 60; round += 1) {
        const bytes = Buffer.from(whole);
        for (let n = 0; n < 4; n += 1) bytes[(round * 37 + n * 11) % 120] = (round * 71 + n * 29) & 0xff;
        expect(['ok', 'image_unreadable', 'image_too_large']).toContain(
          await codeOf(decodeImage(bytes, clip)),
        );
        await codeOf(decodeImage(whole.subarray(0, round * 4), clip));
      }
    }
  });
});

describe('decodeImage', () => {
  const red = { r: 255, g: 0, b: 0 };
  const plain = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: red } });

  it.each(['avif', 'webp', 'gif', 'tiff', 'jpeg', 'png'] as const)('reads %s', async (format) => {
    const pixels = await decodeImage(await plain(60, 40).toFormat(format).toBuffer(), clip);
    expect(pixels).toHaveLength(24 * 24 * 3);
    for (const [n, wanted] of [255, 0, 0].entries()) expect(Math.abs(pixels[n]! - wanted)).toBeLessThan(8);
  });

  it('scales to more than the square and cuts, where the model wants that', async () => {
    const image = await fixture('photo-200x133.jpg');
    const whole = await decodeImage(image, { size: 64, resize: 'shortest' });
    const inner = await decodeImage(image, { size: 32, resize: 'shortest', resizeTo: 64 });
    const rows = Array.from({ length: 32 }, (_, row) => {
      const start = ((row + 16) * 64 + 16) * 3;
      return whole.slice(start, start + 32 * 3);
    });
    expect(Buffer.concat(rows)).toEqual(Buffer.from(inner));
  });

  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a text', Buffer.from('hello')],
    ['an SVG', Buffer.from(svg)],
    ['an SVG behind an XML declaration', Buffer.from(`<?xml version="1.0"?>${svg}`)],
    ['an SVG that begins as a PNG does', Buffer.from(`\x89PNG\r\n\x1a\n${svg}`, 'latin1')],
    ['a JPEG’s start alone', Buffer.from([0xff, 0xd8, 0xff, 0xe0])],
  ])('refuses %s', async (_name, bytes) => {
    expect(await codeOf(decodeImage(bytes, clip))).toBe('image_unreadable');
  });

  it('refuses a file that was cut off', async () => {
    for (const name of ['photo-200x133.jpg', 'noise-70x55.png']) {
      const bytes = await fixture(name);
      expect(await codeOf(decodeImage(bytes.subarray(0, bytes.length / 2), clip))).toBe('image_unreadable');
    }
  });

  it('refuses what is larger than the limits, before it is decoded', async () => {
    const bytes = await fixture('photo-200x133.jpg');
    const limits = { maxBytes: bytes.length, maxPixels: 200 * 133 };
    expect(await codeOf(decodeImage(bytes, clip, limits))).toBe('ok');
    expect(await codeOf(decodeImage(bytes, clip, { ...limits, maxBytes: bytes.length - 1 }))).toBe(
      'image_too_large',
    );
    expect(await codeOf(decodeImage(bytes, clip, { ...limits, maxPixels: 200 * 133 - 1 }))).toBe(
      'image_too_large',
    );
    const thread = await plain(1, 65_536).png().toBuffer();
    expect(await codeOf(decodeImage(thread, clip))).toBe('image_too_large');
    // 30,000 × 30,000 empty pixels: a small file, 2.7 GB as pixels.
    const bomb = Buffer.from(await fixture('tiny-3x2.png'));
    bomb.writeUInt32BE(30_000, 16);
    bomb.writeUInt32BE(30_000, 20);
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
    expect(await codeOf(decodeImage(bomb, clip))).toBe('image_too_large');
  });

  /** A chunk of a PNG (its specification, 5.3). */
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const bomb = deflateSync(Buffer.alloc(400_000_000));
  it.each([
    ['texts', Array.from({ length: 25 }, () => chunk('zTXt', Buffer.concat([Buffer.from('a\0\0'), bomb])))],
    ['a colour profile', [chunk('iCCP', Buffer.concat([Buffer.from('a\0\0'), bomb]))]],
  ])('does not blow up %s that come with a picture', async (_what, chunks) => {
    const png = await plain(10, 10).png().toBuffer();
    const head = 8 + 25;
    const bytes = Buffer.concat([png.subarray(0, head), ...chunks, png.subarray(head)]);
    const before = process.memoryUsage().rss;
    const pixels = await decodeImage(bytes, clip).catch((error: { code?: string }) => error.code);
    if (typeof pixels === 'string') expect(pixels).toBe('image_unreadable');
    else expect(pixels).toHaveLength(24 * 24 * 3);
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  });

  it('sees the picture of a file that is something else as well, and nothing of that', async () => {
    const image = await fixture('photo-200x133.jpg');
    const pixels = await decodeImage(image, clip);
    for (const rest of [
      '<script>alert(1)</script>',
      'PK\x03\x04',
      '<svg onload="x"/>',
      '\x89PNG\r\n\x1a\n',
    ]) {
      expect(await decodeImage(Buffer.concat([image, Buffer.from(rest, 'latin1')]), clip)).toEqual(pixels);
    }
  });

  it('looks at the first frame of an animation only', async () => {
    const frames = await Promise.all(
      ['red', 'blue'].map((background) =>
        sharp({ create: { width: 40, height: 40, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const animation = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const [r, g, b] = await decodeImage(animation, clip);
    expect([r, g, b].map((value) => Math.round(value! / 255))).toEqual([1, 0, 0]);
  });

  it('refuses a scan that is repeated to take time', async () => {
    const jpeg = await plain(2000, 2000).jpeg({ progressive: true }).toBuffer();
    const scan = jpeg.subarray(jpeg.lastIndexOf(Buffer.of(0xff, 0xda)), -2);
    const scans = Array.from({ length: 2000 }, () => scan);
    const bytes = Buffer.concat([jpeg.subarray(0, -2), ...scans, jpeg.subarray(-2)]);
    expect(await codeOf(decodeImage(bytes, clip))).toBe('image_unreadable');
  });
});
