import { expect, test } from 'vitest';
import { Screen } from './screen.ts';

const textsOf = (screen: Screen): string[][] =>
  screen.lines.map(({ versions }) => versions.map(({ runs }) => runs.map(({ text }) => text).join('|')));

test('a line is there from the moment it was written', () => {
  const screen = new Screen(80);
  screen.write('one\r\n', 1);
  screen.write('two\r\nthree\r\n', 2.5);
  expect(textsOf(screen)).toEqual([['one'], ['two'], ['three'], []]);
  expect(screen.lines.map(({ versions }) => versions[0]?.from)).toEqual([1, 2.5, 2.5, undefined]);
});

test('a line that is drawn over has each look with its time, but for those that nobody could have read', () => {
  const screen = new Screen(80);
  for (const [at, text] of [
    [1, '10%'],
    [1.1, '20%'],
    [2, '30%'],
    [3, ''],
  ] as const)
    screen.write(`\r\u001b[2K${text}`, at);
  expect(textsOf(screen)).toEqual([['20%', '30%', '']]);
  expect(screen.lines[0]?.versions.map(({ from }) => from)).toEqual([1, 2, 3]);
});

test('a sequence that comes in two pieces is one', () => {
  const screen = new Screen(80);
  screen.write('a\u001b[3', 0);
  screen.write('2mb\u001b', 0);
  screen.write('[0mc', 0);
  expect(screen.lines[0]?.versions[0]?.runs.map(({ text, style }) => [text, style.color])).toEqual([
    ['a', undefined],
    ['b', 'green'],
    ['c', undefined],
  ]);
});

test('styles end where they are ended, and unknown sequences leave no trace', () => {
  const screen = new Screen(80);
  screen.write(
    '\u001b[?25l\u001b[1mbold\u001b[22m plain \u001b[2m\u001b[36mdim\u001b[39m\u001b[22m\u001b]0;title\u0007',
    0,
  );
  expect(screen.lines[0]?.versions[0]?.runs).toMatchObject([
    { text: 'bold', style: { weight: 'bold' } },
    { text: 'plain', column: 5, style: { weight: undefined } },
    { text: 'dim', style: { color: 'cyan', weight: 'dim' } },
  ]);
});

test('wide characters take two columns, and text beyond the last column goes on below', () => {
  const screen = new Screen(6);
  screen.write('手机ab', 0);
  screen.write('cd', 0);
  expect(screen.lines.map(({ versions }) => versions[0]?.runs)).toMatchObject([
    [{ text: '手机ab', column: 0, columns: 6 }],
    [{ text: 'cd', column: 0, columns: 2 }],
  ]);
});

test('what stands in columns keeps them', () => {
  const screen = new Screen(80);
  screen.write('1  0.71   phone', 0);
  expect(screen.lines[0]?.versions[0]?.runs.map(({ column, text }) => [column, text])).toEqual([
    [0, '1'],
    [3, '0.71'],
    [10, 'phone'],
  ]);
});

test('a column that is named is where writing goes on, and erasing takes what stands behind it', () => {
  const screen = new Screen(80);
  screen.write('waiting\u001b[1G\u001b[0Kdone', 0);
  expect(textsOf(screen)).toEqual([['done']]);
});
