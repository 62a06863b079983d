import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Terminal } from './terminal.ts';
import { oneLine } from './text.ts';

function written(
  options: { json: boolean },
  use: (terminal: Terminal) => void,
): { out: string; err: string } {
  const said = { out: '', err: '' };
  const terminal = new Terminal(
    { write: (text) => (said.out += text), isTTY: true },
    { write: (text) => (said.err += text), isTTY: true },
    { ...options, noColor: false },
  );
  use(terminal);
  return said;
}

/** Titles set, screens cleared, keys programmed, links, C1's forms of these, lines overwritten, letters reordered. */
const HOSTILE = [
  '\u001b]0;title\u0007',
  '\u001b[2J\u001b[H',
  '\u001bP+q544e\u001b\\',
  '\u001b]8;;http://evil.example\u001b\\link\u001b]8;;\u001b\\',
  '\u009b2J',
  '\u009d0;title\u009c',
  'no\rok',
  'a\bb\u007f',
  'user\u202etxt.exe',
  '\u2066hidden\u2069',
];

test.each(HOSTILE)('%j is printed without what steers a terminal', (text) => {
  const { out, err } = written({ json: false }, (terminal) => {
    terminal.print(`id ${text}`);
    terminal.note(text);
    terminal.warn(text);
  });
  // eslint-disable-next-line no-control-regex
  expect(out + err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  expect(out).toMatch(/^id .*\n$/);
});

test('nothing but text, styles, tabs and line ends is ever printed', () => {
  const hostile = fc
    .array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary' })))
    .map((all) => all.join(''));
  fc.assert(
    fc.property(hostile, (text) => {
      const { out } = written({ json: false }, (terminal) => terminal.print(text));
      // eslint-disable-next-line no-control-regex
      const plain = out.replaceAll(/\u001b\[[\d;]*m/g, '');
      expect(plain).not.toMatch(/[^\P{Cc}\n\t]/u);
      expect(oneLine(text)).not.toMatch(/\p{Cc}/u);
      const json = written({ json: true }, (terminal) => terminal.printJson({ text })).out;
      expect(json.trimEnd()).not.toMatch(/\p{Cc}/u);
      expect(JSON.parse(json)).toEqual({
        text: text.toWellFormed() === text ? text : JSON.parse(JSON.stringify(text)),
      });
    }),
    { numRuns: 2000 },
  );
});

test('styles of our own stay', () => {
  const { out } = written({ json: false }, (terminal) => terminal.print(terminal.style('bold', 'title')));
  expect(out).toBe('\u001b[1mtitle\u001b[22m\n');
});
