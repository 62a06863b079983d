import type { DocumentReport } from '@embedmill/jobs';
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

test('reports are grouped by their reason, the most first, and those without a name are counted', () => {
  const found = reportsOf([
    report(1, 'empty_text'),
    report(2, 'engine_crashed', true),
    report(3, 'empty_text'),
    { more: 7 },
  ]);
  expect(found.groups.map(({ code, reports, retryable }) => [code, reports.length, retryable])).toEqual([
    ['empty_text', 2, false],
    ['engine_crashed', 1, true],
  ]);
  expect(found.groups[0]?.message).toBe('empty_text at 1');
  expect([found.count, found.more]).toEqual([3, 7]);
  expect(reportsOf([])).toEqual({ groups: [], count: 0, more: 0 });
});
