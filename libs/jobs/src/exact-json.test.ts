import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exactNumber, isInexactNumber, parseJson } from './exact-json.ts';

test.each([
  ['9007199254740991', 9007199254740991],
  ['-9007199254740991', -9007199254740991],
  ['9007199254740992', '9007199254740992'],
  ['9007199254740993', '9007199254740993'],
  ['1768907445451174113', '1768907445451174113'],
  ['-1768907445451174113', '-1768907445451174113'],
  ['18446744073709551615', '18446744073709551615'],
  ['99999999999999999999999999999999999999', '99999999999999999999999999999999999999'],
  ['9007199254740990.5', '9007199254740990.5'],
  ['1.0000000000000000000', 1],
  ['0.1', 0.1],
  ['0.10000000000000001', 0.1],
  ['0.30000000000000004', 0.30000000000000004],
  ['3.141592653589793', Math.PI],
  ['3.14159265358979323846', '3.14159265358979323846'],
  ['0.1234567890123456789', '0.1234567890123456789'],
  ['123456789012345.678901', '123456789012345.678901'],
  ['1e20', '1e20'],
  ['1.5e300', 1.5e300],
  ['1e400', '1e400'],
  ['-1e400', '-1e400'],
  ['1e-400', '1e-400'],
  ['5e-324', 5e-324],
  ['0e999', 0],
  ['0.000', 0],
  ['1000000000000000000000', '1000000000000000000000'],
  ['-1000000000000000000000', '-1000000000000000000000'],
  ['1000000000000000000000.0', '1000000000000000000000.0'],
  ['1e21', 1e21],
  ['1e+21', 1e21],
  ['-0', -0],
  // The double ends in .25, equally near to both, and is printed as the first.
  ['-1144388479597671.2', -1144388479597671.25],
  ['-1144388479597671.3', '-1144388479597671.3'],
])('the number %s is kept', (written, kept) => {
  expect(parseJson(`{"a":[${written}]}`)).toEqual({ a: [kept] });
  expect(exactNumber(written)).toBe(kept);
  expect(isInexactNumber(written)).toBe(typeof kept === 'string');
});

test('whatever a double is written as, it is that double again; what is printed is read as it is', () => {
  fc.assert(
    fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (value) => {
      const kept = parseJson(JSON.stringify(value));
      expect(parseJson(JSON.stringify(kept))).toEqual(kept);
      if (!Number.isInteger(value) || Number.isSafeInteger(value)) expect(kept).toBe(value + 0);
    }),
  );
});

/** Some numbers beyond 2^53 are exact doubles. */
const powersOfTen = fc
  .tuple(fc.integer({ min: -9, max: 9 }), fc.nat(40))
  .map(([digit, power]) => BigInt(digit) * 10n ** BigInt(power));

test('integers are the same digits, numbers or not', () => {
  fc.assert(
    fc.property(fc.oneof(fc.bigInt(), powersOfTen), (value) => {
      expect(String(parseJson(String(value)))).toBe(String(value));
    }),
  );
});

test('all else is as JSON.parse has it', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), (json, at) => {
      const text = at % 3 === 0 ? json : `[${json},12345678901234567890]`;
      const parsed = parseJson(text);
      const expected = JSON.parse(text, (_key, value: unknown) => value) as unknown;
      if (at % 3 === 0 && !/\d{16}|\d\.\d{10}|e/i.test(text)) expect(parsed).toEqual(expected);
      if (at % 3 !== 0) expect((parsed as unknown[])[1]).toBe('12345678901234567890');
    }),
  );
  expect(Object.keys(parseJson('{"__proto__":12345678901234567890}') as object)).toEqual(['__proto__']);
  expect(() => parseJson('{"a":1234567890123456789')).toThrow(SyntaxError);
});
