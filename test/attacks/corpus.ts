import type { Route } from './attacked.ts';

/**
 * Hostile requests to every route, with shapes of bodies, addresses and headers. The routes come from the server's own
 * description, so a new route is attacked too.
 */
export interface Hostile {
  route: Route;
  shape: string;
  path: string;
  headers: Record<string, string>;
  /** Built when it is sent: together, all bodies would take gigabytes. */
  body: (() => string) | undefined;
}

/**
 * Sizes of bodies in bytes: one that is parsed at once, one that is large for most routes, and one that only the
 * largest routes accept.
 */
export const SIZES = [60_000, 1_000_000, 12_000_000];

type Shape = (bytes: number) => string;

const filled = (part: string, bytes: number): string =>
  part.repeat(Math.ceil(bytes / part.length)).slice(0, bytes);
/** Repeats a part, with commas between, up to this size. */
const listed = (part: string, bytes: number): string =>
  `${`${part},`.repeat(Math.max(1, Math.floor(bytes / (part.length + 1)) - 1))}${part}`;

/** Values for any field. */
const VALUES: Record<string, Shape> = {
  'numbers, one of them broken': (bytes) => `[${listed('1', bytes)},1.5]`,
  'small numbers': (bytes) => `[${listed('1', bytes)}]`,
  'numbers with many digits': (bytes) => `[${listed('12345678901234567890.5e3', bytes)}]`,
  'one number': (bytes) => filled('7', bytes),
  'empty lists': (bytes) => `[${listed('[]', bytes)}]`,
  'empty objects': (bytes) => `[${listed('{}', bytes)}]`,
  'lists in lists': (bytes) => '['.repeat(bytes / 2) + ']'.repeat(bytes / 2),
  'objects in objects': (bytes) => '{"a":'.repeat(bytes / 6) + '1' + '}'.repeat(bytes / 6),
  'short texts': (bytes) => `[${listed('"a"', bytes)}]`,
  'empty texts': (bytes) => `[${listed('""', bytes)}]`,
  'one text': (bytes) => `"${filled('a', bytes)}"`,
  'one text of white space': (bytes) => `"${filled(' ', bytes)}"`,
  'one text of escapes': (bytes) => `"${'\\u0041'.repeat(bytes / 6)}"`,
  'one text of broken pairs': (bytes) => `"${'\\ud800'.repeat(bytes / 6)}"`,
  'one text of marks': (bytes) => `"${filled('a\u0301', bytes / 2)}"`,
  'a data URI': (bytes) => `"data:image/png;base64,${filled('iVBORw0K', bytes)}"`,
  'a URL': (bytes) => `"http://a.example/${filled('%2e%2e/', bytes)}"`,
  nulls: (bytes) => `[${listed('null', bytes)}]`,
  'alternatives of a filter': (bytes) => `{"or":[${listed('{"field":"x","eq":1}', bytes)}]}`,
  'values of a filter': (bytes) => `{"field":"document_id","in":[${listed('"a"', bytes)}]}`,
  'many fields': (bytes) =>
    `{${Array.from({ length: bytes / 12 }, (_, n) => `"k${n.toString(36)}":1`).join(',')}}`,
};

/** Larger bodies are sent only to routes that accept several megabytes. */
const LARGE_BYTES = 2_000_000;
const TAKES_LARGE = /embed|rerank|search/;

/** Whole bodies, valid JSON or not. */
const BODIES: Record<string, Shape> = {
  commas: (bytes) => filled(',', bytes),
  quotes: (bytes) => filled('"', bytes),
  backslashes: (bytes) => `"${filled('\\\\', bytes)}`,
  'a key that changes prototypes': (bytes) => `{"__proto__":[${listed('1', bytes)}]}`,
  spaces: (bytes) => filled(' ', bytes),
  'a field again and again': (bytes) => `{${listed('"query":"x"', bytes)}}`,
};

/** Fields of our routes' bodies; each shape of value is tried in each field. */
const FIELDS = [
  ...['input', 'inputs', 'query', 'queries', 'texts', 'documents', 'filter', 'positive', 'negative', 'image'],
  ...['model', 'name', 'profile', 'source', 'metadata', 'sparse', 'fusion', 'rerank', 'points', 'dimensions'],
];

/** The other fields, which make a request nearly valid. */
const NEARLY_RIGHT = '"model":"all-MiniLM-L6-v2","query":"a river","positive":[{"text":"a"}]';

/** For every route: all bodies of `sizes`, and all hostile addresses and headers. */
export function* hostileRequests(routes: readonly Route[], sizes: readonly number[]): Generator<Hostile> {
  for (const route of routes) {
    if (isLeftAlone(route)) continue;
    const path = route.path.replace('{name}', 'docs').replaceAll(/\{\w+\}/g, 'attacker-1');
    const json = { 'content-type': 'application/json' };
    for (const [shape, address] of addressesOf(path))
      yield { route, shape, path: address, headers: {}, body: undefined };
    for (const [shape, headers] of Object.entries(HEADERS))
      yield { route, shape, path, headers, body: undefined };
    if (route.method === 'GET') continue;
    for (const bytes of sizes) {
      if (bytes > LARGE_BYTES && !TAKES_LARGE.test(route.path)) continue;
      const size = `${bytes / 1000} kB`;
      for (const [shape, make] of Object.entries(BODIES))
        yield { route, shape: `${shape}, ${size}`, path, headers: json, body: () => make(bytes) };
      for (const [shape, make] of Object.entries(VALUES)) {
        yield { route, shape: `${shape}, ${size}`, path, headers: json, body: () => make(bytes) };
        for (const field of fieldsFor(route, bytes)) {
          const others = NEARLY_RIGHT.replace(new RegExp(`"${field}":[^,]+,?`), '').replace(/,$/, '');
          yield {
            route,
            shape: `${field}: ${shape}, ${size}`,
            path,
            headers: json,
            body: () => `{${others},"${field}":${make(bytes)}}`,
          };
        }
      }
    }
  }
}

/** Every field for a small body; for larger bodies, only fields that may be large. */
function fieldsFor({ path }: Route, bytes: number): string[] {
  if (bytes <= 100_000) return FIELDS;
  return TAKES_LARGE.test(path) ? ['input', 'inputs', 'query', 'filter', 'documents'] : ['query', 'filter'];
}

/** Routes that would stop the work by which attacks are watched. */
function isLeftAlone({ method, path }: Route): boolean {
  return path.includes('/queue/') || method === 'DELETE';
}

const LONG = 12_000;
const HEADERS: Record<string, Record<string, string>> = {
  'a long idempotency key': { 'idempotency-key': filled('k', LONG) },
  'many accepted types': { accept: filled('a/b;q=0.1,', LONG) },
  'many ranges': { range: `bytes=${listed('0-1', LONG)}` },
  'a long trace': { traceparent: filled('00-', LONG), tracestate: filled('a=b,', LONG) },
};

function* addressesOf(path: string): Generator<[string, string]> {
  yield ['many parameters', `${path}?${listed('limit=1', LONG).replaceAll(',', '&')}`];
  yield ['a long parameter', `${path}?filter=${filled('%5B', LONG)}`];
  yield ['a long columns parameter', `${path}?columns=${filled('%7B%22a%22%3A', LONG)}`];
  yield ['a path of dots', `${path}/${filled('%2e%2e%2f', LONG)}`];
}
