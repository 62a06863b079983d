import { expect, test } from 'vitest';
import { languageOf } from './language.ts';
import { parseFile } from './parse.ts';

test.each([
  ['en', 'The ferry leaves at noon, and children travel free of charge on all lines.'],
  ['de', 'Die Fähre fährt um zwölf Uhr ab, und Kinder fahren auf allen Linien kostenlos.'],
  ['fr', 'Le bac part à midi, et les enfants voyagent gratuitement sur toutes les lignes.'],
  ['es', 'El ferry sale al mediodía y los niños viajan gratis en todas las líneas.'],
  [
    'ru',
    'Паром отходит в полдень, дети ездят бесплатно на всех линиях. Билеты продаются на борту, и капитан звонит в колокол, прежде чем паром отойдёт от берега.',
  ],
  ['tr', 'Feribot öğlen kalkıyor ve çocuklar tüm hatlarda ücretsiz seyahat ediyor.'],
  ['zh', '渡轮中午出发，儿童在所有线路上免费。'],
  ['ja', 'フェリーは正午に出発します。子供は無料です。'],
  ['ar', 'تغادر العبارة عند الظهر ويسافر الأطفال مجانا على جميع الخطوط'],
])('a sentence in %s is told', async (language, text) => {
  expect(await languageOf(text)).toBe(language);
});

test.each(['Anna Schmidt', 'PostgreSQL 15.3', '0.14 | 0.22 | 0.35\n1.2 | 3.4 | 5.6', 'XK-2301', ''])(
  'of %j no language is guessed',
  async (text) => {
    expect(await languageOf(text)).toBeUndefined();
  },
);

test('of a sentence that could be of two related languages none is guessed', async () => {
  expect(await languageOf('Паром отходит в полдень, дети ездят бесплатно на всех линиях.')).toBeUndefined();
});

test('code in a text does not affect its language', async () => {
  const code = 'the function returns the value of the first argument and then the second one';
  const text = `${code.repeat(20)}\n\nDie Fähre fährt um zwölf Uhr ab, und Kinder fahren kostenlos.`;
  expect(await languageOf(text, [{ start: 0, end: code.length * 20, kind: 'code' }])).toBe('de');
});

test('what a file says of its language goes before what it looks like; source code has none', async () => {
  const languageIn = async (source: string, name: string) =>
    (await parseFile({ bytes: Buffer.from(source), name })).metadata.language;
  const sentence = 'The ferry leaves at noon, and children travel free of charge.';
  expect(await languageIn(sentence, 'a.txt')).toBe('en');
  expect(await languageIn(`<html lang="en-GB"><p>${sentence}`, 'a.html')).toBe('en-GB');
  expect(await languageIn(`// ${sentence}\nfunction f() {}`, 'a.js')).toBeUndefined();
});
