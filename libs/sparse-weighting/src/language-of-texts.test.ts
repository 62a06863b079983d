import { expect, test } from 'vitest';
import { languageOfTexts } from './language-of-texts.ts';

test.each([
  ['chinese', ['iPhone 15 Pro 手机的价格是￥8,999', '我在用 Python 3.12 写代码']],
  ['chinese', ['國立圖書館的藏書']],
  ['japanese', ['猫は可愛いです。本を読みます。', '東京大学の図書館']],
  ['korean', ['고양이는 귀엽다', '이 패키지는 리눅스의 proc 파일 시스템을 사용하는 프로그램']],
  ['thai', ['แมวและหมาเป็นสัตว์']],
  ['russian', ['словарь французского языка для aspell']],
  ['arabic', ['أدخل رقما صحيحا']],
  [
    'english',
    ['Call me Ishmael. Some years ago, never mind how long precisely, I thought I would sail about'],
  ],
  ['german', ['Es war einmal ein kleines süßes Mädchen, das hatte jedermann lieb, der sie nur ansah']],
  ['french', ['Longtemps, je me suis couché de bonne heure, et la pensée qu’il était temps']],
  ['spanish', ['En un lugar de la Mancha, de cuyo nombre no quiero acordarme, no ha mucho tiempo']],
  ['auto', ['كتاب', 'книга о рыбах', '12345']],
  ['auto', ['xq-17 zzyzx RTX']],
  ['auto', ['', '12']],
] as const)('%s: %j', (language, texts) => {
  expect(languageOfTexts(texts)).toBe(language);
});
