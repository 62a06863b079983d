import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbedmillError } from '@embedmill/jobs';
import { sha256Of, sizeOf } from './digest.ts';
import type { ModelFile } from './entry.ts';
import { withLock } from './folder-lock.ts';
import { askHub, HubFailure, unavailable, urlOf, type HubAnswer, type HubFile } from './hub.ts';

export interface DownloadProgress {
  model: string;
  /** The path in the repository. */
  file: string;
  receivedBytes: number;
  totalBytes: number | undefined;
}

export interface DownloadOptions {
  model: string;
  onProgress?: ((progress: DownloadProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** The delay before the first retry in milliseconds, doubled each time; 500 by default. */
  retryDelayMs?: number | undefined;
  /** Milliseconds without a byte after which a connection is given up; 60,000 by default. */
  idleTimeoutMs?: number | undefined;
}

/** What a file should be, as far as known. */
interface Expected {
  sha256: string | undefined;
  bytes?: number | undefined;
}

/** The digest of the fetched bytes, and the one that the hub states. */
interface Fetched {
  sha256: string;
  stated: string | undefined;
}

/** The number of attempts without any new byte before giving up. */
const MAX_TRIES = 5;
/** If a server asks for a longer wait, the download fails and the caller retries later. */
const LONGEST_WAIT_MS = 60_000;

/**
 * Downloads a file of the hub to `target` unless it exists, and verifies it in either case.
 *
 * The expected digest is the first available of: the entry's; that in `target.sha256`, written after the first download
 * (trust on first use: an entry without digests relies on the hub once); the one that the hub states now. Bytes go to
 * `target.partial`, which a later attempt, even of another process, resumes if the server still has the same file
 * (`target.partial.etag`). They become `target` only once they are on the disk and verified. `target.lock` admits one
 * process at a time.
 *
 * Throws `model_unavailable` (with `retryAfter` if the server sent one) and `model_corrupt`.
 */
export async function ensureDownloaded(
  file: HubFile,
  expected: ModelFile,
  target: string,
  options: DownloadOptions,
): Promise<void> {
  if (await isGood(target, expected, options.signal)) return;
  await mkdir(dirname(target), { recursive: true });
  await withLock(`${target}.lock`, options.signal, async () => {
    if (await isGood(target, expected, options.signal)) return;
    await rm(target, { force: true });
    await download(file, { ...expected, sha256: await digestFor(expected, target) }, target, options);
  });
}

/** The expected digest of a file, if known. */
async function digestFor(expected: ModelFile, target: string): Promise<string | undefined> {
  if (expected.sha256 !== undefined) return expected.sha256;
  const pinned = await readFile(`${target}.sha256`, 'utf8').catch(() => undefined);
  return pinned?.trim();
}

async function isGood(
  target: string,
  expected: ModelFile,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if ((await sizeOf(target)) === undefined) return false;
  const digest = await digestFor(expected, target);
  return digest !== undefined && (await sha256Of(target, signal)) === digest;
}

/** Fetches the file in as many attempts as help, and puts it in its place. */
async function download(
  file: HubFile,
  expected: Expected,
  target: string,
  options: DownloadOptions,
): Promise<void> {
  const partial = `${target}.partial`;
  let failures = 0;
  for (;;) {
    const before = (await sizeOf(partial)) ?? 0;
    try {
      const fetched = await fetchInto(file, expected, partial, options);
      return await accept(fetched, file, expected, target);
    } catch (error) {
      if (error instanceof EmbedmillError) throw error;
      options.signal?.throwIfAborted();
      failures = ((await sizeOf(partial)) ?? 0) > before ? 1 : failures + 1;
      const wait = pauseAfter(error, failures, options.retryDelayMs);
      if (wait === undefined) {
        const failure = error instanceof HubFailure ? error : undefined;
        throw unavailable(failure, `cannot download ${urlOf(file)}: ${reasonOf(error)}`, error);
      }
      await delay(wait, undefined, options.signal === undefined ? {} : { signal: options.signal });
    }
  }
}

/** Moves the fetched file to `target` if its digest is right; otherwise removes it, and throws `model_corrupt`. */
async function accept(
  { sha256, stated }: Fetched,
  file: HubFile,
  expected: Expected,
  target: string,
): Promise<void> {
  const partial = `${target}.partial`;
  const wanted = expected.sha256 ?? stated;
  if (wanted !== undefined && sha256 !== wanted) {
    await discard(partial);
    throw new EmbedmillError(
      'model_corrupt',
      `${urlOf(file)} has sha256 ${sha256} instead of ${wanted}, and the download was removed. Either something between here and the hub alters files, or the model's entry is wrong`,
    );
  }
  if (expected.sha256 === undefined) await writeFile(`${target}.sha256`, `${sha256}\n`);
  await rename(partial, target);
  await discard(partial);
}

/** Milliseconds until the next attempt; undefined if there should be none. */
function pauseAfter(error: unknown, failures: number, retryDelayMs = 500): number | undefined {
  const failure = error instanceof HubFailure ? error : undefined;
  if (failure?.isFinal === true || failures >= MAX_TRIES) return undefined;
  const backoff = retryDelayMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2);
  const wait = Math.max((failure?.retryAfter ?? 0) * 1000, backoff);
  return wait > LONGEST_WAIT_MS ? undefined : wait;
}

/** One attempt: requests the missing part of `partial`, and writes it. Returns the digest of the whole file. */
async function fetchInto(
  file: HubFile,
  expected: Expected,
  partial: string,
  options: DownloadOptions,
): Promise<Fetched> {
  const idle = new AbortController();
  const timer = setTimeout(
    () => idle.abort(new HubFailure('the hub sent nothing for too long', { isFinal: false })),
    options.idleTimeoutMs ?? 60_000,
  );
  const signal = options.signal === undefined ? idle.signal : AbortSignal.any([idle.signal, options.signal]);
  try {
    const resume = await resumable(partial);
    const answer = await askHub(file, resume, signal).catch(async (error: unknown) => {
      // The server does not have this range: the next attempt requests the whole file.
      if (error instanceof HubFailure && resume.from > 0 && !error.isFinal) await discard(partial);
      throw error;
    });
    const total = expected.bytes ?? answer.total;
    if (answer.total !== undefined && answer.total !== total) {
      await discard(partial);
      throw new EmbedmillError(
        'model_corrupt',
        `${urlOf(file)} has ${answer.total} bytes instead of ${total}: it is not the file that the model's entry names`,
      );
    }
    const hash = createHash('sha256');
    let received = answer.from;
    await writeBody(answer, partial, hash, (bytes) => {
      timer.refresh();
      received += bytes;
      options.onProgress?.({
        model: options.model,
        file: file.path,
        receivedBytes: received,
        totalBytes: total,
      });
    });
    if (total !== undefined && received !== total) {
      if (received > total) await discard(partial);
      throw new HubFailure(`the body ended after ${received} of ${total} bytes`, { isFinal: false });
    }
    return { sha256: hash.digest('hex'), stated: answer.sha256 };
  } finally {
    clearTimeout(timer);
  }
}

async function writeBody(
  answer: HubAnswer,
  partial: string,
  hash: Hash,
  onBytes: (bytes: number) => void,
): Promise<void> {
  if (answer.from > 0) {
    for await (const chunk of createReadStream(partial)) hash.update(chunk as Buffer);
  } else if (answer.etag === undefined) {
    await rm(`${partial}.etag`, { force: true });
  } else {
    await writeFile(`${partial}.etag`, answer.etag);
  }
  const output = await open(partial, answer.from > 0 ? 'a' : 'w');
  try {
    for await (const chunk of answer.body) {
      await output.write(chunk);
      hash.update(chunk);
      onBytes(chunk.length);
    }
    await output.sync();
  } finally {
    await output.close();
  }
}

/** The bytes from an earlier attempt. Without their ETag they may belong to another version of the file. */
async function resumable(partial: string): Promise<{ from: number; etag: string | undefined }> {
  const etag = await readFile(`${partial}.etag`, 'utf8').catch(() => undefined);
  return { from: etag === undefined ? 0 : ((await sizeOf(partial)) ?? 0), etag };
}

async function discard(partial: string): Promise<void> {
  await rm(partial, { force: true });
  await rm(`${partial}.etag`, { force: true });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
