import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutChunks } from './cut.ts';
import type { CutLimits } from './cutting.ts';

/** Each character is one token, as for most Chinese characters. */
const chunksOf = (text: string, limits: CutLimits): string[] => {
  const starts: number[] = [];
  for (const { index } of text.matchAll(/\S/gu)) starts.push(index);
  return [...cutChunks(text, Int32Array.from(starts), limits)].map(({ start, end }) =>
    text.slice(start, end),
  );
};

const BOUNDARIES = ['content', 'paragraph', 'sentence', 'word'] as const;

const han = fc.string({ unit: fc.constantFrom(...'今天我们去河边看猫和狗'), minLength: 1, maxLength: 9 });
const mark = fc.constantFrom(
  '，',
  '。',
  '！',
  '？',
  '；',
  '：',
  '、',
  '……',
  '。”',
  '？！',
  '）。',
  '》',
  '」',
  '～',
  'ー',
);
const phrase = fc.tuple(fc.constantFrom('', '（', '“', '《', '「'), han, mark).map((parts) => parts.join(''));
const texts = fc.array(phrase, { minLength: 1, maxLength: 40 }).map((parts) => parts.join(''));

test.each(BOUNDARIES)('no chunk begins with a closing mark or ends with an opening one: %s', (boundary) => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 8, max: 40 }), fc.nat(12), (text, capacity, overlap) => {
      for (const chunk of chunksOf(text, { capacity, overlap, boundary })) {
        expect(chunk).not.toMatch(/^[，。！？；：、…”）》」～ー]/);
        expect(chunk).not.toMatch(/[（“《「]$/);
      }
    }),
    { numRuns: 1000, seed: 16 },
  );
});

describe.each(BOUNDARIES)('with the boundary %s', (boundary) => {
  test('what is repeated begins at a phrase', () => {
    const text = '我今天早上九点。然后我去了河边，看到一只猫。后来它走了，我也回家。';
    for (const overlap of [1, 2, 3, 5]) {
      for (const capacity of [14, 16, 20]) {
        for (const chunk of chunksOf(text, { capacity, overlap, boundary })) {
          const start = text.indexOf(chunk);
          const before = text.charAt(start - 1);
          const isWhole = boundary !== 'word' ? start === 0 || '。，'.includes(before) : true;
          expect(isWhole, `${overlap} of ${capacity}: ${chunk}`).toBe(true);
        }
      }
    }
  });
});

test.each([
  ['。', 'content'],
  ['！', 'content'],
  ['？', 'content'],
  ['；', 'content'],
  ['……', 'content'],
  ['。', 'sentence'],
  ['！', 'sentence'],
  ['？', 'sentence'],
  ['；', 'sentence'],
  ['……', 'sentence'],
] as const)('a chunk ends at %s: %s', (end, boundary) => {
  const text = `今天我们去河边看猫${end}明天我们去银行存钱然后回家看书写字`;
  expect(chunksOf(text, { capacity: 14, overlap: 0, boundary })[0]).toBe(`今天我们去河边看猫${end}`);
});

test('a true end of a sentence goes before that of a clause', () => {
  const text = '今天我们去河边。看猫；明天我们去银行存钱然后回家看书写字';
  for (const boundary of ['content', 'sentence'] as const)
    expect(chunksOf(text, { capacity: 14, overlap: 0, boundary })[0]).toBe('今天我们去河边。');
});

test('closing quotes stay with their sentence', () => {
  const text = '他说：“今天我们去河边。”明天我们去银行存钱然后回家看书写字';
  for (const boundary of ['content', 'sentence'] as const)
    expect(chunksOf(text, { capacity: 16, overlap: 0, boundary })[0]).toBe('他说：“今天我们去河边。”');
});
