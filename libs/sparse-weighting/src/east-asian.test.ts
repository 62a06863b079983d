import { describe, expect, test } from 'vitest';
import type { Language } from '@embedmill/jobs';
import { analyzerOf } from './analysis.ts';
import { bm25Document, bm25Query } from './bm25.ts';
import { bm42Document } from './bm42.ts';
import { simplifiedHan } from './han-variants.ts';
import { termId } from './term-id.ts';

const termsOf = (text: string, language: Language) =>
  [...analyzerOf(language, 2).terms(text)].flatMap(({ term }) => term ?? []);
/** Whether a query finds a text by its words. */
const finds = (question: string, text: string, language: Language): boolean => {
  const analyzer = analyzerOf(language, 2);
  const { indices } = bm25Document(text, analyzer, { k1: 1.2, b: 0.75 }, 10);
  return bm25Query(question, analyzer).indices.some((id) => indices.includes(id));
};

describe.each(['chinese', 'auto'] as const)('in %s', (language) => {
  test('the words that say nothing are no terms', () => {
    expect(termsOf('存钱的地方', language)).toEqual(['存钱', '地方']);
    expect(termsOf('我的手机和你的', language)).toEqual(['手机']);
    expect(termsOf('的了是', language)).toEqual([]);
  });

  test.each([
    ['of another width', 'ｉＰｈｏｎｅ　１５', 'iPhone 15 手机'],
    ['in traditional characters', '手機', '手机的价格'],
    ['in simplified characters', '图书馆', '去圖書館借書'],
    ['in compatibility characters', '\uf9dd', '利'],
    ['shorter than the word it stands in', '银行', '中国人民银行'],
    ['longer than the word', '智能手机', '手机'],
  ])('a question %s finds a text', (_how, question, text) => {
    expect(finds(question, text, language)).toBe(true);
    expect(finds(text, question, language)).toBe(true);
  });

  test('a question of other words finds none', () => {
    expect(finds('汽车', '猫和狗', language)).toBe(false);
    expect(finds('的', '存钱的地方', language)).toBe(false);
  });
});

test('words have pairs beside them, in the places that they have in the text', () => {
  const text = '葡萄牙，圖書館。';
  const terms = [...analyzerOf('chinese', 2).terms(text)].map(({ term, start, end }) => [
    term,
    text.slice(start, end),
  ]);
  expect(terms).toEqual([
    ['葡萄牙', '葡萄牙'],
    ['葡萄', '葡萄'],
    ['萄牙', '萄牙'],
    ['图书', '圖書'],
    ['书馆', '書館'],
    ['馆', '館'],
  ]);
});

test('pairs have the attention of their own characters in BM42', () => {
  const attention = Float32Array.of(0.5, 0.1, 0.2, 0.1, 0.1);
  const { indices, values } = bm42Document(
    '葡萄牙',
    [-1, -1, 0, 1, 1, 2, 2, 3, -1, -1],
    attention,
    analyzerOf('chinese', 2),
  );
  const weightOf = (term: string) => values[indices.indexOf(termId(term))];
  expect(weightOf('葡萄牙')).toBeCloseTo(Math.sqrt(Math.log1p(0.4)), 6);
  expect(weightOf('葡萄')).toBeCloseTo(Math.sqrt(Math.log1p(0.3)), 6);
  expect(weightOf('萄牙')).toBeCloseTo(Math.sqrt(Math.log1p(0.3)), 6);
});

test('in Japanese traditional characters stay words of their own, and particles are no terms', () => {
  expect(termsOf('猫は可愛いです', 'japanese')).toEqual(['猫', '可愛い', '可愛']);
  expect(finds('機', '机', 'japanese')).toBe(false);
  expect(finds('大学', '東京大学', 'japanese')).toBe(true);
});

test('in Korean a word is found with other particles, and within a compound', () => {
  expect(finds('고양이를', '고양이는 귀엽다', 'korean')).toBe(true);
  expect(finds('도서관', '국립중앙도서관에서', 'korean')).toBe(true);
  expect(termsOf('그리고 고양이', 'korean')).toEqual(['고양이', '고양', '양이']);
});

test('in Thai the words that say nothing are no terms', () => {
  expect(termsOf('แมวและหมา', 'thai')).toEqual(['แมว', 'หมา']);
});

test('in all of them words in Latin letters are read as English', () => {
  for (const language of ['chinese', 'japanese', 'korean', 'thai'] as const)
    expect(termsOf('the running of cats', language)).toEqual(['run', 'cat']);
});

test('auto takes each word by its script', () => {
  expect(termsOf('the running cats и кошками 的手机 και', 'auto')).toEqual([
    'run',
    'cat',
    'кошк',
    '手机',
    'και',
  ]);
});

test('other languages read Chinese as they did', () => {
  for (const language of ['none', 'english'] as const) {
    expect(termsOf('我的手機', language)).toEqual(['我的', '手機']);
    expect(termsOf('图书馆', language)).toEqual(['图书', '馆']);
  }
});

test('simplified characters are never simplified again, and a text keeps its length', () => {
  const all = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit)).join('');
  expect(simplifiedHan(all)).toHaveLength(all.length);
  expect(simplifiedHan(simplifiedHan(all)) === simplifiedHan(all)).toBe(true);
  expect(simplifiedHan('手機 iPhone 圖書館')).toBe('手机 iPhone 图书馆');
});
