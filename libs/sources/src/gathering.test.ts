import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobId } from '@embedmill/jobs';
import { fileSource } from './file-source.ts';
import { placeOf, readFileLines } from './file-lines.ts';
import { writeFileList, type ListedFile } from './file-list.ts';
import { gather } from './gathering.ts';
import { Spool } from './spool.ts';

const JOB = 'job_1' as JobId;
let folder: string;
let spool: Spool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-gathering-'));
  spool = await Spool.open(join(folder, 'spool'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function gathered(files: readonly ListedFile[], packed?: string) {
  const path = join(folder, 'packed');
  await writeFile(path, packed ?? '');
  const list = await writeFileList(spool, JOB, files);
  const parse = () => Promise.reject(new Error('none of the files is a document'));
  const options = { profile: { filterable: {} }, maxBytes: 1e9, parse };
  const made = await gather(spool, JOB, { list, packed: await fileSource(path) }, options);
  const bytes = Buffer.concat(await Array.fromAsync(spool.readSource(made.source)));
  return { ...made, lines: bytes.toString().split('\n').slice(0, -1) };
}

test('each line of what is gathered leads back to its file and its line there', async () => {
  const content = fc.array(fc.constantFrom('a', 'b', '\n'), { maxLength: 12 }).map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(fc.array(content, { maxLength: 8 }), async (contents) => {
      let offset = 0;
      const files = contents.map((text, n): ListedFile => {
        const at = { kind: 'packed', offset, size: text.length } as const;
        offset += text.length;
        return { name: `${String(n).padStart(2, '0')}.ndjson`, at };
      });
      const { lines, unread } = await gathered(files, contents.join(''));
      const index = (await readFileLines(spool, JOB)) ?? [];
      const own = contents.map((text) => text.split('\n').slice(0, text.endsWith('\n') ? -1 : undefined));
      const expected = own.flatMap((some, n) =>
        (contents[n] === '' ? [] : some).map((line, at) => ({
          file: files[n]?.name,
          line: at + 1,
          is: line,
        })),
      );
      expect(lines.map((is, at) => ({ ...placeOf(at + 1, index), is }))).toEqual(expected);
      expect(unread).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test('files are read in the order of their names, and one that went away since is a failure', async () => {
  const path = join(folder, 'x.ndjson');
  await writeFile(path, '{"id":"x"}\n');
  const source = await fileSource(path);
  const changed = { ...source, modified: source.modified - 1000 };
  const { lines, unread } = await gathered([
    { name: 'c', at: source },
    { name: 'b', at: changed },
    { name: 'a', at: source },
  ]);
  expect(lines).toEqual(['{"id":"x"}', expect.stringContaining('"source_changed"'), '{"id":"x"}']);
  expect(unread).toBe(1);
});
