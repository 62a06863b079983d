import { expect, test } from 'vitest';
import { drawMap, type Dot } from './picture.ts';

const dot = (x: number, y: number, value?: Dot['value']): Dot => ({ x, y, label: `at ${x}, ${y}`, value });
const fills = (svg: string) => [...svg.matchAll(/r="3" fill="([^"]+)"/g)].map(([, fill]) => fill);

test('words are told apart by colours, the rare ones are alike', () => {
  const values = ['a', 'a', 'b', ...Array.from({ length: 9 }, (_, n) => `rare ${n}`)];
  const svg = drawMap(
    values.map((value, n) => dot(n, n, value)),
    'words',
    'kind',
  );
  const [a1, a2, b] = fills(svg);
  expect(a1).toBe(a2);
  expect(a1).not.toBe(b);
  expect(new Set(fills(svg)).size).toBe(9);
  expect(svg).toContain('>a, 2<');
  expect(svg).toContain('>others<');
});

test('numbers are coloured from the least to the greatest', () => {
  const svg = drawMap([dot(0, 0, 1), dot(1, 1, 5), dot(2, 2, 3)], 'numbers', 'year');
  expect(fills(svg)).toEqual(['rgb(68,1,84)', 'rgb(253,231,37)', 'rgb(33,145,140)']);
});

test('equal places, one point and no values make a picture as well', () => {
  for (const dots of [[dot(1, 1)], [dot(0, 0), dot(0, 0)], [dot(1, 2, 7)]]) {
    expect(drawMap(dots, 'few', undefined)).not.toMatch(/NaN|Infinity|undefined/);
  }
});

test('texts cannot break out of the picture', () => {
  const svg = drawMap([{ ...dot(0, 0, '<b>&"'), label: '</title><script>\u0001' }], '<svg>', '"field"');
  expect(svg).not.toContain('<script>');
  expect(svg).not.toContain('\u0001');
  expect(svg).toContain('&lt;/title&gt;&lt;script&gt;');
});
