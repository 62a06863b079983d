import type { DocumentReport } from '../../server/shapes.ts';
import { expect, test } from 'vitest';
import { reportsOf } from './reports.ts';

const report = (line: number, code: DocumentReport['code'], retryable = false): DocumentReport => ({
  line,
  id: `d${line}`,
  code,
  message: `${code} at ${line}`,
  retryable,
  offset: 0,
  length: 1,
});

async function* answered(reports: readonly DocumentReport[], more: number) {
  yield* reports;
  return more;
}

test('reports are grouped by reason, most frequent first, and unlisted ones are counted', async () => {
  const lines = [report(1, 'empty_text'), report(2, 'engine_crashed', true), report(3, 'empty_text')];
  const found = await reportsOf(answered(lines, 7));
  expect(found.groups.map(({ code, reports, retryable }) => [code, reports.length, retryable])).toEqual([
    ['empty_text', 2, false],
    ['engine_crashed', 1, true],
  ]);
  expect(found.groups[0]?.message).toBe('empty_text at 1');
  expect([found.count, found.more]).toEqual([3, 7]);
  expect(await reportsOf(answered([], 0))).toEqual({ groups: [], count: 0, more: 0 });
});
