/** The location of a document’s image: in the reference itself, at a URL, or in a file next to the source. */
export type ImageReference =
  | { readonly kind: 'data'; readonly mediaType: string; readonly base64: boolean; readonly data: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string };

export type ImageReferenceParse =
  | { readonly ok: true; readonly reference: ImageReference }
  | { readonly ok: false; readonly message: string };

/** At least two characters, because a single one is a Windows drive. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;
/** What is allowed between `data:` and the comma; the limit bounds the search for a missing comma. */
const DATA_HEADER = /^data:([^,]{0,500}),/i;

/**
 * Parses a document’s `image` to what it refers to, or to its fault. Nothing is read or decoded. Data URIs follow
 * RFC 2397; a reference without a scheme is a path.
 */
export function parseImageReference(text: string): ImageReferenceParse {
  const scheme = SCHEME.exec(text.slice(0, 64))?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return { ok: true, reference: { kind: 'file', path: text } };
    case 'http':
    case 'https': {
      const url = URL.parse(text);
      if (url === null) return { ok: false, message: 'the URL is not valid' };
      return { ok: true, reference: { kind: 'url', url: url.href } };
    }
    case 'data': {
      const header = DATA_HEADER.exec(text);
      if (header === null) return { ok: false, message: 'a data URI needs a "," before its data' };
      const [mediaType = '', ...parameters] = (header[1] ?? '').split(';').map((part) => part.trim());
      const base64 = parameters.at(-1)?.toLowerCase() === 'base64';
      const data = text.slice(header[0].length);
      return { ok: true, reference: { kind: 'data', mediaType: mediaType.toLowerCase(), base64, data } };
    }
    default:
      return {
        ok: false,
        message: `an image is a data URI, an http(s) URL or a path, not "${scheme}:"; write a path with a colon as "./…"`,
      };
  }
}
