import { basename } from 'node:path/posix';
import { definitionsIn, type Definition } from './code-grammar.ts';
import type { ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';

/** Matches the first line of a definition that gets a section: functions, classes and similar, in common languages. */
const DEFINITION =
  /^(\s*)(?:export\s+|default\s+|public\s+|private\s+|protected\s+|internal\s+|static\s+|final\s+|abstract\s+|async\s+|pub(?:\([^)]*\))?\s+|unsafe\s+|open\s+|override\s+|virtual\s+|inline\s+|const\s+(?=fn))*(?:function\*?|def|class|interface|enum|struct|trait|impl|fn|func|fun|module|namespace|type|object|protocol|extension|record|sub|package)\b\s*(?:\([^)]{0,200}\)\s*)?([\w$:<>.,\s'&]{1,120})/;
/** How deep sections nest: a class and its methods. */
const DEEPEST_INDENT = 8;

/**
 * Reads source code: the unchanged text, with one section per function or class, found by a grammar or by how lines
 * begin.
 */
export async function parseCode(source: string, name: string): Promise<ParsedDocument> {
  const text = new StructuredText();
  const lines = source.replace(/\r\n?/g, '\n').split('\n');
  let from = 0;
  const code = (to: number): void => text.code(lines.slice(from, to).join('\n'));
  const definitions = (await definitionsIn(lines.join('\n'), name)) ?? definitionsByLine(lines);
  let last = -1;
  for (const definition of definitions) {
    // If several begin in one line, the first contains the others or is as suitable.
    if (definition.line === last) continue;
    last = definition.line;
    const line = startOf(lines, definition.line);
    if (line > from) code(line);
    from = Math.max(from, line);
    text.section(definition.level, definition.name);
  }
  code(lines.length);
  return { title: basename(name), ...text.finish(), metadata: { type: 'code' } };
}

/** For languages without a grammar here. */
function definitionsByLine(lines: readonly string[]): Definition[] {
  const found: Definition[] = [];
  for (const [line, text] of lines.entries()) {
    if (text.length > 400) continue;
    const [, indent = '', called = ''] = DEFINITION.exec(text) ?? [];
    const name = called.trim().replace(/[\s:<,].*$/s, '');
    const width = indent.replaceAll('\t', '    ').length;
    if (name !== '' && width <= DEEPEST_INDENT) found.push({ line, level: 1 + Math.ceil(width / 4), name });
  }
  return found;
}

/** Where a definition begins, including the comments and decorators directly above it. */
function startOf(lines: readonly string[], definition: number): number {
  let line = definition;
  while (line > 0 && /^\s*(?:\/\/|\/?\*|#(?!include|define|if|endif)|--|@|;;)/.test(lines[line - 1] ?? ''))
    line -= 1;
  return line;
}
