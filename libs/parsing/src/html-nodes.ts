import type { DefaultTreeAdapterTypes } from 'parse5';

export type Node = DefaultTreeAdapterTypes.Node;
export type Element = DefaultTreeAdapterTypes.Element;

/** Elements that are not part of a page's text. */
const UNREAD = new Set(
  'script style template noscript svg math canvas iframe object embed audio video select button input textarea dialog head'.split(
    ' ',
  ),
);
/** Elements around a page's main text. */
const AROUND = new Set(['nav', 'aside', 'footer']);
const AROUND_ROLES = new Set(['navigation', 'banner', 'contentinfo', 'search', 'complementary', 'menu']);
/** Elements that are blocks, or contain blocks. */
export const BLOCKS = new Set(
  'address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer header hgroup html li main nav ol p section summary table tbody td tfoot th thead tr ul hr caption'.split(
    ' ',
  ),
);

export function isUnread(element: Element): boolean {
  const role = attribute(element, 'role');
  return (
    UNREAD.has(element.tagName) ||
    AROUND.has(element.tagName) ||
    (role !== undefined && AROUND_ROLES.has(role)) ||
    attribute(element, 'hidden') !== undefined ||
    attribute(element, 'aria-hidden') === 'true' ||
    /display\s*:\s*none/i.test(attribute(element, 'style') ?? '')
  );
}

/** All elements, in the order of their start tags; without recursion, because pages may nest arbitrarily deep. */
export function elementsIn(root: Node): Element[] {
  const found: Element[] = [];
  const waiting: Node[] = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (isElement(node)) found.push(node);
    if (!('childNodes' in node)) continue;
    for (let n = node.childNodes.length - 1; n >= 0; n -= 1) waiting.push(node.childNodes[n] as Node);
  }
  return found;
}

/**
 * Converts XHTML to HTML: in XHTML an element such as `<title/>` is empty, but an HTML parser would put everything
 * after it inside it.
 */
export function withEndTags(source: string): string {
  return source.replace(
    /<(title|script|style|textarea|iframe|noscript|template|select|object|audio|video|canvas)\b([^<>]*)\/>/gi,
    '<$1$2></$1>',
  );
}

/** The unchanged text in a node, with a line end for each block. */
export function textIn(node: Node): string {
  const parts: string[] = [];
  const waiting: Node[] = [node];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (one.nodeName === '#text') parts.push((one as DefaultTreeAdapterTypes.TextNode).value);
    if (isElement(one) && one !== node) {
      if (isUnread(one)) continue;
      if (one.tagName === 'br' || BLOCKS.has(one.tagName)) parts.push('\n');
    }
    if (!('childNodes' in one)) continue;
    for (let n = one.childNodes.length - 1; n >= 0; n -= 1) waiting.push(one.childNodes[n] as Node);
  }
  return parts.join('');
}

export function isElement(node: Node): node is Element {
  return 'tagName' in node;
}

export function attribute({ attrs }: Element, name: string): string | undefined {
  return attrs.find((one) => one.name === name)?.value;
}
