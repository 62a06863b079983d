// Records a real run of `npm run demo`, with its own timing, as the picture of the README: npm run recording.
// It needs `script` of util-linux for a terminal that has nobody in front of it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { animationOf } from './animation.ts';
import { Screen } from './screen.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const PICTURE = join(ROOT, 'docs/images/demo.svg');
const COMMAND = 'npm run demo';
const COLUMNS = 104;
const ROWS = 26;
/** After this the command is typed, and runs. */
const TYPED_SECONDS = 1;

const screen = new Screen(COLUMNS);
screen.write(`\u001b[32m$\u001b[0m `, 0);
screen.write(`\u001b[1m${COMMAND}\u001b[0m\r\n`, TYPED_SECONDS);

const started = performance.now();
const recorded = spawn(
  'script',
  [
    '--quiet',
    '--flush',
    '--return',
    '--command',
    `stty cols ${COLUMNS} rows ${ROWS}; ${COMMAND}`,
    '/dev/null',
  ],
  { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
);
const decoder = new TextDecoder();
recorded.stdout.on('data', (bytes: Uint8Array) => {
  const text = decoder.decode(bytes, { stream: true });
  process.stdout.write(text);
  screen.write(text, TYPED_SECONDS + (performance.now() - started) / 1000);
});
const [code] = (await once(recorded, 'close')) as [number | null];
if (code !== 0) throw new Error(`${COMMAND} ended with ${code}, so nothing was recorded`);

const svg = animationOf(screen.lines, {
  columns: COLUMNS,
  rows: ROWS,
  title:
    'npm run demo: embedmill starts, embeds 4,500 dictionary senses and texts in Chinese, and searches them',
});
await mkdir(dirname(PICTURE), { recursive: true });
await writeFile(PICTURE, svg);
process.stdout.write(`\n${PICTURE}: ${Math.ceil(svg.length / 1000)} kB\n`);
