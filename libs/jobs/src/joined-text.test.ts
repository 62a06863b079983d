import fc from 'fast-check';
import { expect, test } from 'vitest';
import { joinedText } from './document.ts';

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
