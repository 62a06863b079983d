import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeS3Object } from './spool-bucket.ts';
import { S3Objects } from './s3-objects.ts';
import { openS3Files } from './source-places.ts';
import { TestS3 } from './test-s3.ts';

let server: TestS3;
let s3: S3Objects;
const url = (key: string) => `s3://${server.bucket}/${key}`;
const KEYS = ['in/a.ndjson', 'in/deep/b.csv.gz', 'in/.hidden/c.csv', 'in/notes.bin', 'inner/d.csv'];

async function* bytes(text: string) {
  yield Buffer.from(text);
}

beforeAll(async () => {
  server = await TestS3.start();
  Object.assign(process.env, server.environment);
  s3 = new S3Objects({ pathStyle: true });
  for (const key of KEYS) await writeS3Object(s3, url(key), bytes(key));
});
afterAll(() => server?.stop());

const found = async (place: string, allowed: string, isAnyFormat = false) => {
  const { files, skipped } = await openS3Files(place, [allowed], s3, isAnyFormat);
  return { files: files.map(({ name }) => name), skipped };
};

test('a prefix is all objects below it, but those that are hidden or of no known format', async () => {
  const files = [url('in/a.ndjson'), url('in/deep/b.csv.gz')];
  const skipped = [url('in/.hidden/c.csv'), url('in/notes.bin')];
  expect(await found(url('in/'), url('in'))).toEqual({ files, skipped });
  expect(await found(url('in/'), url('in'), true)).toEqual({
    files: [...files, url('in/notes.bin')],
    skipped: [url('in/.hidden/c.csv')],
  });
  expect((await found(url(''), url('').slice(0, -1))).files).toEqual([...files, url('inner/d.csv')]);
});

test('objects are listed with what tells whether they change', async () => {
  const { files } = await openS3Files(url('in/'), [url('in')], s3, false);
  const { at } = (await openS3Files(url('in/a.ndjson'), [url('in')], s3, false)).files[0]!;
  expect(files[0]?.at).toEqual(at);
  expect(at).toMatchObject({
    kind: 's3',
    size: 'in/a.ndjson'.length,
    etag: expect.stringMatching(/./) as unknown,
  });
});

test.each(['in', 'inner/', 'in/../inner/', '', 'i/'])('%j is not below in/', async (key) => {
  await expect(found(url(key), url('in'))).rejects.toMatchObject({ code: 'source_forbidden' });
});
