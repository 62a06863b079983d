import { expect, test } from 'vitest';
import { formatOf } from './format.ts';

const en = formatOf('en');
const zh = formatOf('zh');

test('durations have their two largest units', () => {
  expect([0, 0.0004, 0.04, 4.25, 42, 60, 185, 3600, 7440, 266_400].map(en.duration)).toEqual([
    '0 s',
    '1 ms',
    '40 ms',
    '4.3 s',
    '42 s',
    '1 min',
    '3 min 5 s',
    '1 h',
    '2 h 4 min',
    '3 d 2 h',
  ]);
});

test('bytes are shown in a suitable unit', () => {
  expect([0, 999, 1000, 23_500_000, 5e15].map(en.bytes)).toEqual([
    '0 bytes',
    '999 bytes',
    '1 kB',
    '23.5 MB',
    '5,000 TB',
  ]);
});

test('times are shown relative to now, in the given language', () => {
  const now = Date.parse('2026-11-30T12:00:00Z');
  expect(en.relative('2026-11-30T11:57:00Z', now)).toBe('3 min. ago');
  expect(en.relative('2026-11-30T14:00:00Z', now)).toBe('in 2 hr.');
  expect(zh.relative('2026-11-30T11:57:00Z', now)).toBe('3分钟前');
});

test('numbers in a column line up', () => {
  expect([0.84, 12, 0.8421].map((score) => en.fixed(score, 3))).toEqual(['0.840', '12.000', '0.842']);
});

test('counts are shown in full or compactly', () => {
  expect(en.count(1_234_567)).toBe('1,234,567');
  expect(en.compact(1_234_567)).toBe('1.23M');
  expect(zh.compact(12_345)).toBe('1.23万');
});
