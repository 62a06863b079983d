import { basename } from 'node:path/posix';
import type { ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';

/** What begins a definition that gets a section, by its line: functions, classes and their like, of the usual languages. */
const DEFINITION =
  /^(\s*)(?:export\s+|default\s+|public\s+|private\s+|protected\s+|internal\s+|static\s+|final\s+|abstract\s+|async\s+|pub(?:\([^)]*\))?\s+|unsafe\s+|open\s+|override\s+|virtual\s+|inline\s+|const\s+(?=fn))*(?:function\*?|def|class|interface|enum|struct|trait|impl|fn|func|fun|module|namespace|type|object|protocol|extension|record|sub|package)\b\s*(?:\([^)]{0,200}\)\s*)?([\w$:<>.,\s'&]{1,120})/;
/** Sections nest this deep: a class and its methods. */
const DEEPEST_INDENT = 8;

/** Reads source code: its text as it is, with a section a function or class, told by how lines begin. */
export function parseCode(source: string, name: string): ParsedDocument {
  const text = new StructuredText();
  let from = 0;
  const lines = source.replace(/\r\n?/g, '\n').split('\n');
  const code = (to: number): void => text.code(lines.slice(from, to).join('\n'));
  const sections: { line: number; level: number; heading: string }[] = [];
  for (const [n, line] of lines.entries()) {
    if (line.length > 400) continue;
    const [, indent = '', called = ''] = DEFINITION.exec(line) ?? [];
    const heading = called.trim().replace(/[\s:<,].*$/s, '');
    const width = indent.replaceAll('\t', '    ').length;
    if (heading === '' || width > DEEPEST_INDENT) continue;
    sections.push({ line: startOf(lines, n), level: 1 + Math.ceil(width / 4), heading });
  }
  for (const { line, level, heading } of sections) {
    if (line > from) code(line);
    from = Math.max(from, line);
    text.section(level, heading);
  }
  code(lines.length);
  return { title: basename(name), ...text.finish(), metadata: { type: 'code' } };
}

/** Where a definition begins with the comments and decorators right above it. */
function startOf(lines: readonly string[], definition: number): number {
  let line = definition;
  while (
    line > 0 &&
    /^\s*(?:\/\/|\/?\*|#(?!include|define|if|endif)|--|@|"""|;;)/.test(lines[line - 1] ?? '')
  )
    line -= 1;
  return line;
}
