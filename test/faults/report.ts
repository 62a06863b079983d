import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format } from 'prettier';
import type { FaultRow } from './fault-case.ts';

/**
 * Collects the rows of all files of a run and prints them as a table. With FAULTS_WRITE=1, it also puts them into
 * docs/reliability.md, between the markers.
 */
const DOCUMENT = join(import.meta.dirname, '../../docs/reliability.md');
const START = '<!-- faults -->';
const END = '<!-- /faults -->';

export default async function collectRows(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-faults-'));
  const file = join(folder, 'rows.ndjson');
  await writeFile(file, '');
  process.env['FAULTS_ROWS'] = file;
  return async () => {
    const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean);
    const rows = lines.map((line) => JSON.parse(line) as FaultRow);
    const table = tableOf(rows);
    process.stdout.write(`\n${table}\n`);
    if (process.env['FAULTS_WRITE'] === '1') await writeDown(table);
    await rm(folder, { recursive: true, force: true });
  };
}

function tableOf(rows: readonly FaultRow[]): string {
  const head = [
    'fault',
    'documents',
    'stored',
    'failed',
    'replaced',
    'twice',
    'lost',
    'goes on after',
    'ended after',
  ];
  const lines = rows.map((row) =>
    'skipped' in row
      ? [row.fault, `skipped: ${row.skipped}`, '', '', '', '', '', '', '']
      : [
          ...[row.fault, row.documents, row.stored, row.failed, row.duplicates, row.doubled, row.lost],
          ...[`${row.recoveredSeconds.toFixed(1)} s`, `${row.endedSeconds.toFixed(1)} s`],
        ],
  );
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

async function writeDown(table: string): Promise<void> {
  const text = await readFile(DOCUMENT, 'utf8');
  const start = text.indexOf(START);
  const end = text.indexOf(END);
  if (start === -1 || end === -1) throw new Error(`${DOCUMENT} has no ${START} … ${END}`);
  const written = `${text.slice(0, start + START.length)}\n\n${table}\n\n${text.slice(end)}`;
  await writeFile(DOCUMENT, await format(written, { parser: 'markdown', printWidth: 110 }));
}
