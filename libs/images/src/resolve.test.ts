import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GuardedFetch } from '@embedmill/fetching';
import { resolveImage } from './resolve.ts';

const text = async (image: string, sources = {}) =>
  Buffer.from(await resolveImage(image, sources)).toString('latin1');
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? String(error),
  );

describe('data URIs', () => {
  it.each([
    ['data:image/png;base64,aGVsbG8=', 'hello'],
    ['data:image/png;base64,aGVsbG8', 'hello'],
    ['data:;base64,aGVs bG8%3D', 'hello'],
    ['data:,hel%6Co%ff%', 'hello\xff%'],
    ['data:image/gif;a=b,', ''],
  ])('%s', async (image, bytes) => expect(await text(image)).toBe(bytes));

  it('give all bytes back, however they are written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), async (bytes) => {
        const base64 = Buffer.from(bytes).toString('base64');
        const percent = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
        for (const image of [`data:;base64,${base64}`, `data:,${percent}`]) {
          expect(Buffer.from(await resolveImage(image, { maxBytes: bytes.length }))).toEqual(
            Buffer.from(bytes),
          );
          const tooFew = { maxBytes: bytes.length - 1 };
          expect(await codeOf(resolveImage(image, tooFew))).toBe('image_too_large');
        }
      }),
    );
  });

  it('of no base64 are refused', async () => {
    expect(await codeOf(text('data:;base64,a*b'))).toBe('image_unreadable');
  });
});

describe('files', () => {
  let folder = '';
  beforeAll(async () => {
    const parent = await mkdtemp(join(tmpdir(), 'embedmill-images-'));
    folder = join(parent, 'source');
    await mkdir(join(folder, 'deep'), { recursive: true });
    await mkdir(join(parent, 'source-beside'));
    await writeFile(join(folder, 'deep/a b.png'), 'inside');
    await writeFile(join(folder, '..png'), 'dots');
    await writeFile(join(parent, 'secret.png'), 'secret');
    await writeFile(join(parent, 'source-beside/secret.png'), 'secret');
    await symlink('deep/a b.png', join(folder, 'link.png'));
    await symlink('../secret.png', join(folder, 'out.png'));
    await symlink('..', join(folder, 'up'));
    await symlink('loop', join(folder, 'loop'));
  });
  afterAll(() => rm(join(folder, '..'), { recursive: true }));

  it.each([
    ['deep/a b.png', 'inside'],
    ['./deep/../deep/a b.png', 'inside'],
    ['link.png', 'inside'],
    ['..png', 'dots'],
  ])('%s is read', async (path, content) => expect(await text(path, { folder })).toBe(content));

  it.each([
    '../secret.png',
    'deep/../../secret.png',
    '../source-beside/secret.png',
    'out.png',
    'up/secret.png',
    '/etc/passwd',
    '.',
    '..',
    'a\0.png',
  ])('%j is not: it leads out of the folder', async (path) => {
    expect(await codeOf(text(path, { folder }))).toBe('image_forbidden');
  });

  it.each(['nothing.png', 'deep', 'loop', 'deep/a b.png/x'])('%s cannot be read', async (path) => {
    expect(await codeOf(text(path, { folder }))).toBe('image_unreadable');
  });

  it.skipIf(process.platform === 'win32')('a pipe is not waited for', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe.png')]);
    expect(await codeOf(text('pipe.png', { folder }))).toBe('image_unreadable');
  });

  it('are bounded, and refused where there is no folder', async () => {
    expect(await codeOf(text('link.png', { folder, maxBytes: 6 }))).toBe('ok');
    expect(await codeOf(text('link.png', { folder, maxBytes: 5 }))).toBe('image_too_large');
    expect(await codeOf(text('link.png'))).toBe('image_forbidden');
  });
});

describe('URLs', () => {
  it('are fetched by what guards against where they lead', async () => {
    const server = createServer((request, response) => {
      const type = request.url === '/page' ? 'text/html' : 'image/png';
      response.writeHead(200, { 'content-type': type }).end('png');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const guarded = new GuardedFetch({ allow: ['127.0.0.1'] });
    const strict = new GuardedFetch();
    try {
      const fetch = guarded.bytes.bind(guarded);
      expect(await text(url, { fetch })).toBe('png');
      expect(await codeOf(text(`${url}page`, { fetch }))).toBe('image_unreadable');
      expect(await codeOf(text(url, { fetch, maxBytes: 2 }))).toBe('image_too_large');
      expect(await codeOf(text(url, { fetch: strict.bytes.bind(strict) }))).toBe('image_forbidden');
      expect(await codeOf(text(url))).toBe('image_forbidden');
    } finally {
      await guarded.close();
      await strict.close();
      server.close();
    }
  });
});

it('what is no reference is told', async () => {
  expect(await codeOf(text('gopher://a'))).toBe('image_unreadable');
});
