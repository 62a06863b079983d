import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { videoFrames, type VideoFrame } from './video-frames.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-video-'));
});
afterAll(() => rm(folder, { recursive: true }));

const collect = (path: string, options: Parameters<typeof videoFrames>[1]) =>
  Array.fromAsync(videoFrames(path, options));
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? String(error),
  );

it('without FFmpeg, what to install is said', async () => {
  const path = join(folder, 'any.mp4');
  await writeFile(path, 'x');
  const frames = collect(path, { intervalSeconds: 1, maxFrames: 1, ffmpeg: join(folder, 'no-ffmpeg') });
  await expect(frames).rejects.toMatchObject({
    code: 'video_unsupported',
    message: expect.stringContaining('install'),
  });
});

it('a file that is not there is told as such', async () => {
  const frames = collect(join(folder, 'nothing.mp4'), { intervalSeconds: 1, maxFrames: 1 });
  expect(await codeOf(frames)).toBe('video_unreadable');
});

it('a folder or a pipe is no video, and is not waited for', async () => {
  const pipe = join(folder, 'pipe.mp4');
  const paths = spawnSync('mkfifo', [pipe]).status === 0 ? [folder, pipe] : [folder];
  for (const path of paths)
    expect(await codeOf(collect(path, { intervalSeconds: 1, maxFrames: 1 }))).toBe('video_unreadable');
});

describe.skipIf(!hasFfmpeg)(`frames${hasFfmpeg ? '' : ' (skipped: no ffmpeg on the PATH)'}`, () => {
  let video = '';
  /** Ten seconds at 10 frames a second; the grey value is 20 × the time. */
  beforeAll(() => {
    video = join(folder, '-10 s: grey.mkv');
    const source = "nullsrc=size=64x48:rate=10:duration=10,format=gray,geq=lum='20*T'";
    execFileSync('ffmpeg', [
      '-loglevel',
      'error',
      '-f',
      'lavfi',
      '-i',
      source,
      '-c:v',
      'ffv1',
      `file:${video}`,
    ]);
  });
  const timeShown = async ({ bytes }: VideoFrame) => {
    const { data } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    return data[0]! / 20;
  };

  it.each([
    [2, [0, 2, 4, 6, 8]],
    [0.5, Array.from({ length: 20 }, (_, n) => n / 2)],
    [4, [0, 4, 8]],
    [60, [0]],
  ])('show every %d s what is seen then', async (intervalSeconds, times) => {
    const frames = await collect(video, { intervalSeconds, maxFrames: 100 });
    const inside = frames.slice(0, times.length);
    expect(inside.map((frame) => frame.timestampSeconds)).toEqual(times);
    for (const frame of inside) {
      expect(Math.abs((await timeShown(frame)) - frame.timestampSeconds)).toBeLessThanOrEqual(0.11);
    }
    // The last picture may be repeated as the one visible at the very end.
    expect(frames.length - inside.length).toBeLessThanOrEqual(1);
  });

  it('are no more than asked for, and reading may stop before', async () => {
    expect(await collect(video, { intervalSeconds: 0.1, maxFrames: 7 })).toHaveLength(7);
    let seen = 0;
    for await (const { bytes } of videoFrames(video, { intervalSeconds: 0.1, maxFrames: 100 })) {
      expect((await sharp(bytes).metadata()).format).toBe('png');
      seen += 1;
      if (seen === 3) break;
    }
    expect(seen).toBe(3);
  });

  it('end with the caller’s reason when the caller gives up', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const frames = videoFrames(video, { intervalSeconds: 0.1, maxFrames: 100, signal: stop.signal });
    await frames.next();
    stop.abort(reason);
    await expect(frames.next()).rejects.toBe(reason);
  });

  it('are none of what is no video, nor of a playlist of other files', async () => {
    const options = { intervalSeconds: 1, maxFrames: 1 };
    const text = join(folder, 'text.mp4');
    await writeFile(text, 'no video');
    expect(await codeOf(collect(text, options))).toBe('video_unreadable');
    const playlists = {
      'list.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n${video}\n#EXT-X-ENDLIST\n`,
      'list.mp4': `ffconcat version 1.0\nfile '${video}'\n`,
    };
    for (const [name, content] of Object.entries(playlists)) {
      await writeFile(join(folder, name), content);
      expect(await codeOf(collect(join(folder, name), options))).toBe('video_unreadable');
    }
  });
});
