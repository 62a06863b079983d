import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { childEnvironment, EmbedmillError } from '@embedmill/jobs';
import { PngSplitter } from './png-stream.ts';

export interface VideoFrame {
  /** Seconds from the video's start. */
  readonly timestampSeconds: number;
  /** A PNG. */
  readonly bytes: Uint8Array;
}

export interface VideoFrameOptions {
  readonly intervalSeconds: number;
  readonly maxFrames: number;
  readonly signal?: AbortSignal | undefined;
  /** The program to run; `ffmpeg` on the PATH by default. */
  readonly ffmpeg?: string | undefined;
}

/**
 * The containers that are read. Playlists and similar formats are excluded, because they name other files and
 * addresses, which FFmpeg would open.
 */
const CONTAINERS = 'mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,gif,asf';
/** How much of the end of FFmpeg's output is kept, which is where the reason is. */
const KEPT_STDERR = 2000;
const KILL_AFTER_MS = 2000;

/**
 * The frames of a video at 0, `intervalSeconds`, 2 × `intervalSeconds` and so on, at most `maxFrames`. FFmpeg extracts
 * them in a child process, which the pipe's buffer keeps from running ahead, and which always ends with the generator.
 *
 * Throws `video_unsupported` if there is no FFmpeg, `video_unreadable` if it cannot read the file, and the signal's
 * reason if it aborts.
 */
export async function* videoFrames(
  path: string,
  options: VideoFrameOptions,
): AsyncGenerator<VideoFrame, void> {
  const { intervalSeconds, signal } = options;
  signal?.throwIfAborted();
  await access(path, constants.R_OK).catch((cause: unknown) => {
    throw new EmbedmillError('video_unreadable', `the video ${path} cannot be read`, { cause });
  });
  // FFmpeg would wait forever for a pipe's writer.
  if (!(await stat(path)).isFile())
    throw new EmbedmillError('video_unreadable', `the video ${path} is not a file`);
  const ffmpeg = start(path, options);
  const abort = (): void => void ffmpeg.child.kill();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const frames = new PngSplitter();
    let count = 0;
    for await (const chunk of ffmpeg.child.stdout) {
      for (const bytes of frames.push(chunk as Buffer)) {
        signal?.throwIfAborted();
        yield { timestampSeconds: count * intervalSeconds, bytes };
        count += 1;
      }
    }
    const failure = await ffmpeg.failure;
    signal?.throwIfAborted();
    if (failure !== undefined) throw failure;
    if (count === 0) throw new EmbedmillError('video_unreadable', `${path} has no frames`);
  } finally {
    signal?.removeEventListener('abort', abort);
    await end(ffmpeg.child);
  }
}

function start(path: string, { intervalSeconds, maxFrames, ffmpeg = 'ffmpeg' }: VideoFrameOptions) {
  const child = spawn(
    ffmpeg,
    [
      ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-threads', '1'],
      ...['-protocol_whitelist', 'file', '-format_whitelist', CONTAINERS],
      // Keeps a path that begins with "-" or contains ":" from being read as an option or a protocol.
      ...['-i', `file:${resolve(path)}`, '-map', '0:v:0'],
      // Rounded up, so that a frame goes to the first slot that begins at its time or later. The last frame of a slot,
      // which is the one that is output, is then the one visible when the slot begins.
      ...['-vf', `fps=fps=1/${intervalSeconds}:round=up:start_time=0`, '-frames:v', String(maxFrames)],
      ...['-f', 'image2pipe', '-c:v', 'png', '-compression_level', '1', '-pix_fmt', 'rgb24', 'pipe:1'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: childEnvironment(process.env) },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-KEPT_STDERR);
  });
  const failure = new Promise<EmbedmillError | undefined>((settle) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const message =
        cause.code === 'ENOENT'
          ? 'videos need FFmpeg, but it is not on the PATH; install it (apt install ffmpeg, brew install ffmpeg)'
          : `FFmpeg cannot be started: ${cause.message}`;
      settle(new EmbedmillError('video_unsupported', message, { cause }));
    });
    child.once('close', (code) => {
      const message = `${path} cannot be read as a video: ${said.trim()}`;
      settle(code === 0 ? undefined : new EmbedmillError('video_unreadable', message));
    });
  });
  return { child, failure };
}

async function end(child: ChildProcessByStdio<null, Readable, Readable>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.stdout.destroy();
  child.kill();
  const force = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  await exited;
  clearTimeout(force);
}
