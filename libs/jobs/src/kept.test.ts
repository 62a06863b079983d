import { expect, test } from 'vitest';
import { z } from 'zod';
import { parseKept, readKept } from './kept.ts';

const placeSchema = z.union([
  z.strictObject({
    kind: z.literal('file'),
    path: z.string(),
    part: z.strictObject({ from: z.int() }).optional(),
  }),
  z.strictObject({ kind: z.literal('url'), url: z.string() }),
]);
const schema = z.strictObject({
  id: z.string(),
  place: placeSchema,
  counts: z.record(z.string(), z.int()).default({}),
  lines: z.array(z.strictObject({ line: z.int() })).optional(),
});
const RECORD = { id: 'a', place: { kind: 'file', path: '/a' }, counts: { stored: 1 } };

test('what is known is read as ever', () => {
  expect(parseKept(schema, RECORD)).toEqual(RECORD);
  expect(parseKept(schema, { id: 'a', place: { kind: 'url', url: 'x' } })).toMatchObject({ counts: {} });
});

test('fields of a later version are passed over, at any depth, in lists and unions, and the record stays as it was', () => {
  const later = {
    ...RECORD,
    since: { version: 2 },
    place: { ...RECORD.place, part: { from: 3, to: 9 }, checksum: 'x' },
    lines: [{ line: 1 }, { line: 2, column: 7 }],
  };
  const kept = structuredClone(later);
  expect(parseKept(schema, later)).toEqual({
    ...RECORD,
    place: { ...RECORD.place, part: { from: 3 } },
    lines: [{ line: 1 }, { line: 2 }],
  });
  expect(later).toEqual(kept);
});

test.each([
  [{ ...RECORD, sealed: true, needs: ['sealed'] }],
  [{ ...RECORD, needs: ['sealed'], place: { ...RECORD.place, sealed: true } }],
  [{ ...RECORD, place: { ...RECORD.place, sealed: true, needs: ['sealed'] } }],
])('a record that needs what is not known here is refused: %j', (record) => {
  expect(readKept(schema, record).success).toBe(false);
});

test('a need that is met, or of what is not there, is no hindrance', () => {
  expect(parseKept(schema, { ...RECORD, needs: ['id', 'gone'], other: 1 })).toEqual(RECORD);
});

test.each([
  [{ ...RECORD, id: 1, later: true }],
  [{ ...RECORD, counts: { stored: 'many' }, later: true }],
  [{ ...RECORD, place: { kind: 'tape', path: '/a' } }],
  ['none'],
  [null],
])('what is wrong beside is wrong: %j', (record) => {
  expect(readKept(schema, record).success).toBe(false);
  expect(() => parseKept(schema, record)).toThrow();
});
