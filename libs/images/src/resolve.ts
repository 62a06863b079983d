import { constants, open, realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { EmbedmillError, parseImageReference, type ErrorCode, type ImageReference } from '@embedmill/jobs';
import { IMAGE_LIMITS } from './decode.ts';

/** Fetches the bytes that a URL serves, if its address is allowed; `GuardedFetch.bytes` is an implementation. */
export type FetchBytes = (
  url: string,
  request: {
    readonly codes: typeof IMAGE_CODES;
    readonly maxBytes: number;
    readonly types: readonly string[];
    readonly totalSeconds: number;
    readonly signal?: AbortSignal | undefined;
  },
) => Promise<Uint8Array>;

/** The error codes for failures to fetch an image. */
const IMAGE_CODES = {
  forbidden: 'image_forbidden',
  unreadable: 'image_unreadable',
  tooLarge: 'image_too_large',
  unavailable: 'image_unavailable',
} as const satisfies Record<string, ErrorCode>;

export interface ImageSources {
  /** The folder that paths are relative to and must stay within; without it, paths are refused. */
  readonly folder?: string | undefined;
  /** Without it, URLs are refused. */
  readonly fetch?: FetchBytes | undefined;
  readonly maxBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The time limit for one image from a URL, from the name's lookup to the last byte. */
const FETCH_SECONDS = 30;

/**
 * The encoded image that a document's `image` refers to. Rejects with `image_forbidden` (a path outside the folder, an
 * address that may not be fetched), `image_unreadable` (it does not exist), `image_too_large`, or `image_unavailable`
 * (it may become available).
 */
export async function resolveImage(image: string, sources: ImageSources): Promise<Uint8Array> {
  const parsed = parseImageReference(image);
  if (!parsed.ok) throw new EmbedmillError('image_unreadable', `image: ${parsed.message}`);
  const { reference } = parsed;
  const { maxBytes = IMAGE_LIMITS.maxBytes, signal } = sources;
  switch (reference.kind) {
    case 'data':
      return dataBytes(reference, maxBytes);
    case 'url': {
      if (sources.fetch === undefined) {
        const message = 'this server does not fetch images; send them as data URIs';
        throw new EmbedmillError('image_forbidden', message);
      }
      const request = {
        codes: IMAGE_CODES,
        maxBytes,
        types: ['image/'],
        totalSeconds: FETCH_SECONDS,
        signal,
      };
      return sources.fetch(reference.url, request);
    }
    case 'file':
      return fileBytes(reference.path, sources.folder, maxBytes);
  }
}

function dataBytes({ data, base64 }: ImageReference & { kind: 'data' }, maxBytes: number): Uint8Array {
  const unescaped = data.includes('%') ? percentDecoded(data) : Buffer.from(data, 'latin1');
  if (!base64) {
    if (unescaped.length > maxBytes) throw tooLarge(maxBytes);
    return unescaped;
  }
  const text = unescaped.toString('latin1').replace(/[\t\n\f\r ]/g, '');
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) {
    throw new EmbedmillError('image_unreadable', 'the image’s data URI is not valid base64; encode it again');
  }
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

/** RFC 3986: `%` and two hex digits are a byte; everything else stands for itself. */
function percentDecoded(text: string): Buffer {
  const bytes = Buffer.alloc(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const escape = text[at] === '%' ? /^[0-9a-f]{2}$/i.exec(text.slice(at + 1, at + 3)) : null;
    bytes[length] = escape === null ? text.charCodeAt(at) : Number.parseInt(escape[0], 16);
    length += 1;
    if (escape !== null) at += 2;
  }
  return bytes.subarray(0, length);
}

async function fileBytes(path: string, folder: string | undefined, maxBytes: number): Promise<Uint8Array> {
  const real = await pictureFile(path, folder);
  return readWhole(real, maxBytes).catch((error: unknown) => {
    throw error instanceof EmbedmillError ? error : unreadable(path, error);
  });
}

function unreadable(path: string, cause: unknown): EmbedmillError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new EmbedmillError('image_unreadable', `cannot read ${JSON.stringify(path)}: ${code}`, { cause });
}

/**
 * The real path of a picture's file, with links resolved. Errors: `image_forbidden` if it is outside the folder,
 * `image_unreadable` if it does not exist.
 */
export async function pictureFile(path: string, folder: string | undefined): Promise<string> {
  const name = JSON.stringify(path);
  if (folder === undefined) {
    throw new EmbedmillError(
      'image_forbidden',
      `this job has no folder, so ${name} cannot be read; send a data URI`,
    );
  }
  const outside = new EmbedmillError(
    'image_forbidden',
    `${name} is not below the source’s folder; move it there`,
  );
  const root = await realpath(folder).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  const asked = resolve(root, path);
  if (path.includes('\0') || !isBelow(root, asked)) throw outside;
  const real = await realpath(asked).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (!isBelow(root, real)) throw outside;
  return real;
}

async function readWhole(path: string, maxBytes: number): Promise<Uint8Array> {
  // Opening a pipe would wait for a writer. A link that replaced the file meanwhile is not followed.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new EmbedmillError('image_unreadable', `the image ${path} is not a file`);
    if (info.size > maxBytes) throw tooLarge(maxBytes);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function tooLarge(maxBytes: number): EmbedmillError {
  return new EmbedmillError('image_too_large', `the image has more than ${maxBytes} bytes; scale it down`);
}
