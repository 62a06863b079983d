import fc from 'fast-check';
import { expect, test } from 'vitest';
import { joinedText, textAround } from './joined-text.ts';

/** Words, and what separates them. */
const pieces = fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.integer({ min: 1, max: 4 })), {
  minLength: 1,
  maxLength: 20,
});

test('a text is put together from chunks that overlap or leave white space out, each character in its place', () => {
  fc.assert(
    fc.property(pieces, fc.array(fc.nat(3), { maxLength: 20 }), (words, overlaps) => {
      let text = '';
      const starts: number[] = [];
      for (const [word, gap] of words) {
        starts.push(text.length);
        text += word + ' '.repeat(gap);
      }
      text = text.trimEnd();
      const chunks = words.map(([word], n) => {
        const start = starts[Math.max(0, n - (overlaps[n] ?? 0))] ?? 0;
        const end = (starts[n] ?? 0) + word.length;
        return { start, text: text.slice(start, end) };
      });
      const whole = joinedText(chunks);
      expect(whole.replaceAll('\n', ' ')).toBe(text);
    }),
  );
});

/** Ranges of a text, each beginning and ending no earlier than the one before. */
const cut = fc
  .tuple(
    fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', '\t', '\u200b'), maxLength: 40 }),
    fc.array(fc.nat(40)),
  )
  .map(([text, at]) => {
    const places = at.map((one) => Math.min(one, text.length)).sort((a, b) => a - b);
    const starts = places.filter((_, n) => n % 2 === 0);
    const ends = places.filter((_, n) => n % 2 === 1);
    return { text, places: ends.map((end, n) => ({ start: starts[n] ?? 0, end })) };
  });

test('a text that was chunked is put together exactly, but for what was cut off its end', () => {
  fc.assert(
    fc.property(cut, ({ text, places }) => {
      const around = textAround(text, places);
      const whole = joinedText(
        places.map(({ start, end }, n) => ({ start, text: text.slice(start, end), ...around[n] })),
      );
      const rest = text.slice(places.at(-1)?.end ?? 0);
      expect(whole + (places.length > 0 && rest.trim() === '' ? '' : rest)).toBe(text);
    }),
  );
});
