import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instantOf, instantText } from './datetime.ts';

describe('instants', () => {
  test.each([
    ['1970-01-01', 0],
    ['1970-01-01T00:00:00Z', 0],
    ['1970-01-01T00:00:01', 1_000_000],
    ['1970-01-01 00:00:01', 1_000_000],
    ['1970-01-01 02:00:01.5+02', 1_500_000],
    ['1970-01-01T01:00:00+01:00', 0],
    ['1969-12-31T19:00:00.5-05:00', 500_000],
    ['1970-01-01T00:00:00.0000019Z', 1],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['2024-02-29', 1_709_164_800_000_000],
  ])('%s', (text, instant) => {
    expect(instantOf(text)).toBe(instant);
  });

  test.each([
    ['2023-02-29'],
    ['2024-13-01'],
    ['2024-05-01T25:00:00Z'],
    ['2024-05-01T24:00:00Z'],
    ['2024-05-01T10:00Z'],
    ['2024-05-01T10:00:00+0200'],
    ['2024-05-01T10:00+02'],
    ['24-05-01'],
    ['2024'],
    [' 2024-05-01'],
    ['2024-05-01\n'],
    ['yesterday'],
    [''],
  ])('%j is none', (text) => {
    expect(instantOf(text)).toBeUndefined();
  });

  test('are written as texts that mean the same', () => {
    const year = 365.25 * 86_400 * 1_000_000;
    fc.assert(
      fc.property(fc.integer({ min: Math.ceil(-280 * year), max: Math.floor(280 * year) }), (instant) => {
        expect(instantOf(instantText(instant))).toBe(instant);
      }),
    );
  });
});
