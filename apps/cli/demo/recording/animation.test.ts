import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { animationOf } from './animation.ts';
import { Screen } from './screen.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const LOOK = { columns: 40, rows: 3, title: 'a <recording>' };

function recorded(...writes: [text: string, at: number][]): string {
  const screen = new Screen(LOOK.columns);
  for (const [text, at] of writes) screen.write(text, at);
  return animationOf(screen.lines, LOOK);
}
/** The rules of the class that the group with this text has. */
function framesOf(svg: string, text: string): string {
  const [, name = ''] = new RegExp(`<g class="(\\w+)[^"]*"><text[^>]*>${text}<`).exec(svg) ?? [];
  return new RegExp(`@keyframes ${name}{(.*?}) *}`).exec(svg)?.[1] ?? '';
}

test('lines appear when they were written, and the whole begins again after a while', () => {
  const svg = recorded(['one\r\n', 0], ['two\r\n', 4]);
  expect(svg).toMatch(/animation:\w+ 10\.00s step-end infinite/);
  expect(framesOf(svg, 'two')).toBe('0%{visibility:hidden}40%{visibility:visible}');
});

test('a look that another followed is hidden from then on, and in the last frame', () => {
  const svg = recorded(['10%', 0], ['\r\u001b[2K90%', 2], ['\r\u001b[2Kdone\r\n', 4]);
  expect(framesOf(svg, '90%')).toBe('0%{visibility:hidden}20%{visibility:visible}40%{visibility:hidden}');
  expect(svg).toMatch(/<g class="\w+ past"><text[^>]*>90%</);
  expect(svg).toMatch(/<g class="\w+"><text[^>]*>done</);
});

test('more lines than rows move up, and the last frame shows the last of them', () => {
  const svg = recorded(['1\r\n2\r\n3\r\n', 0], ['4\r\n', 2], ['5\r\n', 4]);
  expect(svg).toContain('0%{transform:none}20%{transform:translateY(-19px)}40%{transform:translateY(-38px)}');
  expect(svg).toContain('style="transform:translateY(-38px)"');
});

test('what is text in XML stays text', () => {
  const svg = recorded(['a < b && "c" > d', 0]);
  expect(svg).toContain('>a &lt; b &amp;&amp; "c" &gt; d</text>');
  expect(svg).toContain('<title id="t">a &lt;recording&gt;</title>');
});

test('motion that is not wanted is left out', () => {
  expect(recorded(['one', 0])).toContain(
    '@media (prefers-reduced-motion:reduce){*{animation:none!important}}',
  );
});

test('the recording of the READMEs is small, has no script, asks nobody, and names no folder of a machine', () => {
  const svg = readFileSync(join(ROOT, 'docs/images/demo.svg'), 'utf8');
  expect(Buffer.byteLength(svg)).toBeLessThan(100_000);
  expect(svg).not.toMatch(/<script|\son\w+=|href=|url\(|@import/);
  expect(svg).not.toMatch(/\/(?:home|root|tmp|work|Users)\//);
  expect(svg).toContain('npm run demo</text>');
  for (const name of ['README.md', 'README.zh-CN.md'])
    expect(readFileSync(join(ROOT, name), 'utf8')).toContain('](docs/images/demo.svg)');
});
