import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonBounds, USUAL_JSON } from './json-bounds.ts';

const push = (text: string, limits = USUAL_JSON, cut = 7) => {
  const bounds = new JsonBounds(limits);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += cut) bounds.push(bytes.subarray(at, at + cut));
};

test.each([
  ['items', `[${'1,'.repeat(20_000)}1]`],
  ['nothings', `[${'[],'.repeat(20_000)}[]]`],
  ['fields', `{${Array.from({ length: 20_000 }, (_, n) => `"k${n}":1`).join(',')}}`],
  ['commas that are no JSON', ','.repeat(20_000)],
  ['what follows a text that never ends', `"a","${'\\"'.repeat(10)}"${',1'.repeat(20_000)}`],
])('too many %s are refused before the body is whole', (_what, text) => {
  expect(() => push(text)).toThrow(expect.objectContaining({ code: 'payload_too_large' }));
});

test('fields are few also where token ids may be many', () => {
  const many = { values: 1 << 20, containers: 4096 };
  push(`{"input":[${'1,'.repeat(500_000)}1]}`, many, 65_536);
  const fields = `{"query":{${Array.from({ length: 40_000 }, (_, n) => `"k${n}":1`).join(',')}}}`;
  expect(() => push(fields, many, 65_536)).toThrow(expect.objectContaining({ code: 'payload_too_large' }));
});

test.each(['[', '{"a":', '[{"a":'])('%s without end is refused', (open) => {
  expect(() => push(open.repeat(100))).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});

test('any JSON of usual size passes, however its bytes are cut', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), fc.integer({ min: 1, max: 9 }), (value, cut) => {
      push(JSON.stringify(value), USUAL_JSON, cut);
    }),
  );
});

test('brackets and commas in texts do not count, escaped quotes do not end them', () => {
  push(JSON.stringify({ text: '[{,"\\'.repeat(50_000) }));
});
