import { parse, parseFragment, type DefaultTreeAdapterTypes } from 'parse5';
import { pageMetadata } from './html-metadata.ts';
import {
  attribute,
  BLOCKS,
  elementsIn,
  isElement,
  isUnread,
  textIn,
  withEndTags,
  type Element,
  type Node,
} from './html-nodes.ts';
import type { ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';

const HEADING = /^h[1-6]$/;

/** Reads a page's main content, without the navigation around it. */
export function parseHtml(source: string): ParsedDocument {
  const document = parse(/^\s*<\?xml/.test(source) ? withEndTags(source) : source);
  const text = new StructuredText();
  const root = contentOf(document);
  new PageReading(text).read(root);
  const { title, metadata } = pageMetadata(document, root);
  return { title: title || text.firstHeading, ...text.finish(), metadata };
}

/** Writes a fragment, or a page, into an existing text. */
export function writeHtml(source: string, text: StructuredText): void {
  new PageReading(text).read(parse(source));
}

/** The words of a piece of HTML. */
export function textOfHtml(source: string): string {
  return textIn(parseFragment(source));
}

/** The only element marked as main content; otherwise the whole page. */
function contentOf(document: Node): Node {
  const all = elementsIn(document);
  const mains = all.filter((one) => one.tagName === 'main' || attribute(one, 'role') === 'main');
  const articles = all.filter(({ tagName }) => tagName === 'article');
  return (mains.length === 1 ? mains[0] : articles.length === 1 ? articles[0] : undefined) ?? document;
}

/** Converts a page to text; inline text is collected until a block ends. */
class PageReading {
  readonly #text: StructuredText;
  #inline: string[] = [];
  /** The depth of the list item that begins with the next text. */
  #item: { depth: number; mark: string } | undefined;
  #lists: { ordered: boolean; count: number }[] = [];

  constructor(text: StructuredText) {
    this.#text = text;
  }

  read(node: Node): void {
    this.#walk(node);
    this.#flush();
  }

  #walk(node: Node): void {
    if (node.nodeName === '#text') this.#inline.push((node as DefaultTreeAdapterTypes.TextNode).value);
    else if (isElement(node)) this.#element(node);
    else if ('childNodes' in node) for (const child of node.childNodes) this.#walk(child);
  }

  #element(element: Element): void {
    const { tagName } = element;
    if (isUnread(element)) return;
    if (HEADING.test(tagName)) {
      this.#flush();
      this.#text.heading(Number(tagName.slice(1)), withoutPilcrow(textIn(element)));
    } else if (tagName === 'pre') {
      this.#flush();
      this.#text.code(textIn(element));
    } else if (tagName === 'table' && isData(element)) {
      this.#flush();
      this.#table(element);
    } else if (tagName === 'br') this.#inline.push('\n');
    else if (tagName === 'img') this.#inline.push(` ${attribute(element, 'alt') ?? ''} `);
    else if (tagName === 'ul' || tagName === 'ol') this.#list(element);
    else if (tagName === 'li') this.#listItem(element);
    else if (BLOCKS.has(tagName)) {
      this.#flush();
      for (const child of element.childNodes) this.#walk(child);
      this.#flush();
    } else for (const child of element.childNodes) this.#walk(child);
  }

  #list(element: Element): void {
    this.#flush();
    this.#lists.push({ ordered: element.tagName === 'ol', count: 0 });
    for (const child of element.childNodes) this.#walk(child);
    this.#flush();
    this.#lists.pop();
  }

  #listItem(element: Element): void {
    this.#flush();
    const list = this.#lists.at(-1);
    if (list !== undefined) list.count += 1;
    const mark = list?.ordered === true ? `${list.count}.` : '-';
    this.#item = { depth: Math.max(0, this.#lists.length - 1), mark };
    for (const child of element.childNodes) this.#walk(child);
    this.#flush();
    this.#item = undefined;
  }

  #table(table: Element): void {
    this.#text.endTable();
    for (const one of elementsIn(table)) {
      if (one.tagName === 'caption') this.#text.paragraph(textIn(one));
      if (one.tagName !== 'tr') continue;
      const cells = one.childNodes.filter(isElement).filter(({ tagName }) => /^t[dh]$/.test(tagName));
      this.#text.row(cells.map(textIn));
    }
    this.#text.endTable();
  }

  #flush(): void {
    const text = this.#inline.join('');
    this.#inline = [];
    if (text.trim() === '') return;
    if (this.#item === undefined) return this.#text.paragraph(text);
    this.#text.item(text, this.#item.depth, this.#item.mark);
    this.#item = undefined;
  }
}

/** Whether a table contains data, and is not used for layout. */
function isData(table: Element): boolean {
  const inner = elementsIn(table).slice(1);
  return !inner.some(({ tagName }) => tagName === 'table' || HEADING.test(tagName) || tagName === 'pre');
}

/** The sign of a link to the heading itself, which many generators append to it. */
function withoutPilcrow(heading: string): string {
  return heading.replace(/\s*[¶#🔗]\s*$/u, '');
}
