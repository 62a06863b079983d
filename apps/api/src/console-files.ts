import { hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/** What the console's build writes; at the same place from the sources and from this app's bundle. */
export const CONSOLE_FOLDER = fileURLToPath(new URL('../../console/dist/', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};
/** What is compressed already gains nothing by it. */
const COMPRESSED = new Set(['.png', '.ico', '.woff2']);
/** Nearly as small as the highest, in a tenth of the time. */
const BROTLI_QUALITY = 9;

/** What a browser says it understands, the best first. */
const ENCODINGS = ['br', 'gzip'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** A file of the console, in each form that it is sent in. */
export interface ConsoleFile {
  readonly type: string;
  readonly etag: string;
  /** Whether its name changes with its content. */
  readonly isHashed: boolean;
  readonly plain: Buffer;
  readonly encoded: Readonly<Partial<Record<Encoding, Buffer>>>;
}

/**
 * All files of a built console, by their paths below its folder; none where there is no such folder. They are read and
 * compressed once and stay in memory: a path that is not among them is no file, whatever it looks like.
 */
export async function readConsole(folder: string): Promise<ReadonlyMap<string, ConsoleFile>> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const paths = found
    .filter((one) => one.isFile() && extname(one.name) in TYPES)
    .map((one) => join(one.parentPath, one.name));
  const files = await Promise.all(paths.map(readFileOf));
  return new Map(
    paths.flatMap((path, n) => {
      const file = files[n];
      const name = path.slice(folder.length).split(sep).filter(Boolean).join('/');
      return file === undefined ? [] : [[name, { ...file, isHashed: name.startsWith('assets/') }]];
    }),
  );
}

async function readFileOf(path: string): Promise<Omit<ConsoleFile, 'isHashed'>> {
  const plain = await readFile(path);
  const extension = extname(path);
  return {
    type: TYPES[extension] ?? 'application/octet-stream',
    etag: `"${hash('sha256', plain, 'base64url').slice(0, 22)}"`,
    plain,
    encoded: COMPRESSED.has(extension) ? {} : await compressed(plain),
  };
}

async function compressed(plain: Buffer): Promise<ConsoleFile['encoded']> {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
  };
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(plain, { params }),
    promisify(gzip)(plain, { level: 9 }),
  ]);
  return { br, gzip: gz };
}

/** The best encoding that an `Accept-Encoding` takes; undefined: none of ours. */
export function acceptedEncoding(accepted: string | undefined): Encoding | undefined {
  const taken = new Set(
    (accepted ?? '').split(',').flatMap((one) => {
      const [name = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
      return parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? [] : [name];
    }),
  );
  return ENCODINGS.find((encoding) => taken.has(encoding));
}

/** Whether who asks is a browser that wants a page, and not a program that takes whatever comes. */
export function wantsPage(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/html') === true;
}
