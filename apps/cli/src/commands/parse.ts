import { readFile } from 'node:fs/promises';
import { EmbedmillError } from '@embedmill/jobs';
import { Parser, type ParsedDocument } from '@embedmill/parsing';
import type { Command } from 'commander';
import type { CommandHost } from '../command-host.ts';
import { CommandError, EXIT, usageError } from '../exit.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { cut, grouped, oneLine } from '../terminal/text.ts';

/** Bundled, all modules lie in one folder. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? '../parsing.ts' : './parsing.js', import.meta.url);

export function addParse(program: Command, host: CommandHost): void {
  program
    .command('parse')
    .description('show how a document file is read: its title, structure and text')
    .argument('<file>', 'Markdown, HTML, PDF, Office, EPUB, e-mail, source code or plain text')
    .option('--text', 'print only the text')
    .action((file: string, { text = false }: { text?: boolean }) =>
      host.run(async ({ terminal }) => {
        const bytes = await readFile(file).catch((error: unknown) => {
          throw usageError(`${file} cannot be read: ${(error as Error).message}`);
        });
        const parser = new Parser(ENTRY);
        try {
          const parsed = await parser.parse({ bytes, name: file });
          if (terminal.json) terminal.printJson({ document: { id: file, ...parsed } });
          if (text) terminal.print(parsed.text);
          else print(parsed, terminal);
          return EXIT.ok;
        } catch (thrown) {
          if (!(thrown instanceof EmbedmillError)) throw thrown;
          throw new CommandError(`${thrown.code}: ${file}: ${thrown.message}`);
        } finally {
          parser.close();
        }
      }),
    );
}

function print({ title, metadata, text, structure }: ParsedDocument, terminal: Terminal): void {
  const { sections = [], pages = [], blocks = [] } = structure;
  if (title !== undefined) terminal.print(terminal.style('bold', oneLine(title)));
  for (const [field, value] of Object.entries(metadata))
    if (value !== undefined) terminal.print(`${field}: ${oneLine(String(value))}`);
  const tables = blocks.filter(({ kind }) => kind === 'table').length;
  terminal.print(
    `${grouped(text.length)} characters, ${grouped(sections.length)} sections, ${grouped(pages.length)} pages, ` +
      `${grouped(tables)} tables, ${grouped(blocks.length - tables)} blocks of code`,
  );
  for (const [n, { start, headings }] of sections.entries()) {
    const end = sections[n + 1]?.start ?? text.length;
    const place = `${'  '.repeat(Math.max(0, headings.length - 1))}${oneLine(headings.at(-1) ?? '')}`;
    terminal.print(cut(`  ${place}  (characters ${start} to ${end})`, terminal.width));
  }
  terminal.print(cut(oneLine(text), 3 * terminal.width));
}
