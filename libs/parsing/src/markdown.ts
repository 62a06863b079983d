import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { gfm } from 'micromark-extension-gfm';
import { textOfHtml } from './html.ts';
import { firstInstant } from './dates.ts';
import type { ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';

type Root = ReturnType<typeof fromMarkdown>;
type Nodes = Root | Root['children'][number];
type Table = Extract<Nodes, { type: 'table' }>;

/** The names that site generators use in front matter. */
const CREATED = ['date', 'created', 'published', 'pubdate', 'created_at', 'publishdate'];
const MODIFIED = ['updated', 'modified', 'lastmod', 'last_modified_at', 'updated_at', 'last_update'];

/** Reads Markdown (CommonMark, GitHub’s tables and lists) with its front matter. */
export function parseMarkdown(source: string): ParsedDocument {
  const { fields, body } = frontMatterOf(source);
  const text = new StructuredText();
  writeMarkdown(body, text);
  return {
    title: fields.get('title') ?? text.firstHeading,
    ...text.finish(),
    metadata: {
      type: 'markdown',
      language: fields.get('lang') ?? fields.get('language'),
      author: fields.get('author'),
      created: firstInstant(CREATED.map((field) => fields.get(field))),
      modified: firstInstant(MODIFIED.map((field) => fields.get(field))),
    },
  };
}

/** Writes Markdown into an existing text. */
export function writeMarkdown(source: string, text: StructuredText): void {
  const tree = fromMarkdown(source, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] });
  for (const node of tree.children) writeBlock(node, text, 0);
}

function writeBlock(node: Nodes, text: StructuredText, depth: number): void {
  switch (node.type) {
    case 'heading':
      text.heading(node.depth, inlineText(node));
      break;
    case 'paragraph':
      text.paragraph(inlineText(node));
      break;
    case 'code':
      text.code(node.value);
      break;
    case 'html':
      text.paragraph(textOfHtml(node.value));
      break;
    case 'table':
      writeTable(node, text);
      break;
    case 'list':
      for (const [n, item] of node.children.entries()) {
        const mark = node.ordered === true ? `${(node.start ?? 1) + n}.` : '-';
        const [first, ...others] = item.children;
        if (first?.type === 'paragraph') text.item(inlineText(first), depth, mark);
        else if (first !== undefined) writeBlock(first, text, depth + 1);
        for (const other of others) writeBlock(other, text, depth + 1);
      }
      break;
    case 'blockquote':
    case 'footnoteDefinition':
      for (const child of node.children) writeBlock(child, text, depth);
      break;
    default:
      break;
  }
}

function writeTable({ children }: Table, text: StructuredText): void {
  text.endTable();
  for (const row of children) text.row(row.children.map(inlineText));
  text.endTable();
}

/** The text of a node, without markup and addresses. */
function inlineText(node: Nodes): string {
  switch (node.type) {
    case 'text':
    case 'inlineCode':
      return node.value;
    case 'break':
      return ' ';
    case 'image':
    case 'imageReference':
      return node.alt ?? '';
    case 'html':
    case 'footnoteReference':
      return '';
    default:
      return 'children' in node ? node.children.map(inlineText).join('') : '';
  }
}

/** The simple fields of a YAML or TOML block at the start. */
function frontMatterOf(source: string): { fields: Map<string, string>; body: string } {
  const found =
    /^---[ \t]*\r?\n([\s\S]{0,20000}?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/.exec(source) ??
    /^\+\+\+[ \t]*\r?\n([\s\S]{0,20000}?)\r?\n\+\+\+[ \t]*(?:\r?\n|$)/.exec(source);
  const fields = new Map<string, string>();
  if (found === null) return { fields, body: source };
  for (const line of (found[1] ?? '').split('\n')) {
    const [, key, value] = /^([A-Za-z_-]+)[ \t]*[:=][ \t]*(\S.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined)
      fields.set(key.toLowerCase(), value.replace(/^(["'])(.*?)\1(?:\s+#.*)?$/, '$2'));
  }
  return { fields, body: source.slice(found[0].length) };
}
