/** Where a document’s image is: in the reference itself, at a URL, or in a file beside the source. */
export type ImageReference =
  | { readonly kind: 'data'; readonly mediaType: string; readonly base64: boolean; readonly data: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string };

export type ImageReferenceParse =
  | { readonly ok: true; readonly reference: ImageReference }
  | { readonly ok: false; readonly message: string };

/** Two characters at least: one is a drive of Windows. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;
/** What may stand between `data:` and the comma; the limit keeps a search for a comma that is not there short. */
const DATA_HEADER = /^data:([^,]{0,500}),/i;

/**
 * A document’s `image` as what it refers to, or what is wrong with it. Nothing is read or decoded.
 * Data URIs are those of RFC 2397; what has no scheme is a path.
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
      if (header === null) return { ok: false, message: 'a data URI has a "," in front of its data' };
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
