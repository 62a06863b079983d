import { expect, test } from 'vitest';
import { DEFAULT_TENANT, type Document, type DocumentId } from '@embedmill/jobs';
import { excessOf } from './document-size.ts';

const SMALL = { dims: 384, profile: {} };

function document(text: string, metadata: Document['metadata'] = {}): Document {
  const id = 'a' as DocumentId;
  return { id, text, metadata, title: undefined, image: undefined, video: undefined, tenant: DEFAULT_TENANT };
}

const chunksOf = (text: string, size: number) =>
  Array.from({ length: Math.ceil(text.length / size) }, (_, n) => ({
    start: n * size,
    end: Math.min(text.length, (n + 1) * size),
  }));

test('metadata counts with each chunk, and the error says how much, how much is taken, and what to do', () => {
  const text = 'x'.repeat(1_100_000);
  const metadata = { note: 'y'.repeat(64_000) };
  expect(excessOf(document(text), chunksOf(text, 1000), SMALL)).toBeUndefined();
  expect(excessOf(document(text, metadata), chunksOf(text, 1100), SMALL)).toBeUndefined();
  const excess = excessOf(document(text, metadata), chunksOf(text, 1000), SMALL);
  expect(excess).toMatchObject({ code: 'document_too_large', retryable: false });
  expect(excess?.message).toMatch(
    /^its 1100 chunks would take 69 MiB .* the allowed 64 MiB.*split the document$/,
  );
});

test('the longest line is taken, in any script, where its chunks are of a usual size', () => {
  for (const text of ['x'.repeat(32e6), '\u6f22'.repeat(10e6)])
    expect(excessOf(document(text), chunksOf(text, 800), { dims: 768, profile: {} })).toBeUndefined();
});

test('what overlaps counts as often as it is stored', () => {
  const text = 'x'.repeat(1_000_000);
  const overlapping = Array.from({ length: 100 }, () => ({ start: 0, end: text.length }));
  expect(excessOf(document(text), overlapping, SMALL)?.code).toBe('document_too_large');
});

test('vectors are bounded, too, those of a migration included', () => {
  const text = 'x'.repeat(3_000_000);
  const chunks = chunksOf(text, 100);
  expect(excessOf(document(text), chunks, { dims: 1024, profile: {} })).toBeUndefined();
  expect(excessOf(document(text), chunks, { dims: 2048, profile: {} })?.message).toMatch(
    /vectors of its 30000 chunks/,
  );
  const other = { name: 'second', model: 'm', dims: 1024 } as const;
  expect(excessOf(document(text), chunks, { dims: 1024, other: other as never, profile: {} })?.code).toBe(
    'document_too_large',
  );
});

test('token vectors count by the tokens of the chunks, and by how many share one', () => {
  const text = 'x'.repeat(800_000);
  const chunks = chunksOf(text, 1000).map((chunk) => ({ ...chunk, ids: new Int32Array(250) }));
  const keeping = (poolFactor: number) => ({ dims: 1024, profile: { lateInteraction: { poolFactor } } });
  expect(excessOf(document(text), chunks, keeping(2))).toBeUndefined();
  expect(excessOf(document(text), chunks, keeping(1))?.message).toMatch(/vectors of its 800 chunks/);
});
