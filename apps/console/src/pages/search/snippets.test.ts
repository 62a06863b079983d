import { expect, test } from 'vitest';
import { snippet } from './snippets.ts';

const REQUEST = {
  verb: 'search' as const,
  collection: 'books',
  body: { query: 'a whale’s "tale" isn\'t', rerank: true, filter: { field: 'year', in: [1851, 1900] } },
};
const SERVER = { url: 'https://host/mill', needsKey: true };

test('curl gets its body in quotes that nothing in the body can end', () => {
  expect(snippet('curl', REQUEST, SERVER)).toBe(
    [
      'curl https://host/mill/api/v1/collections/books/search \\',
      '  -H "Authorization: Bearer $EMBEDMILL_KEY" \\',
      "  -H 'Content-Type: application/json' \\",
      "  -d '{",
      String.raw`  "query": "a whale’s \"tale\" isn'\''t",`,
      '  "rerank": true,',
      '  "filter": {',
      '    "field": "year",',
      '    "in": [',
      '      1851,',
      '      1900',
      '    ]',
      '  }',
      "}'",
    ].join('\n'),
  );
});

test('TypeScript uses the client', () => {
  const text = snippet('typescript', REQUEST, { ...SERVER, needsKey: false });
  expect(text).toContain('createClient({ url: "https://host/mill" })');
  expect(text).toContain('await client.search("books", {');
});

test('Python gets its own literals for booleans and null', () => {
  const text = snippet('python', REQUEST, SERVER);
  expect(text).toContain('        "rerank": True,');
  expect(text).toContain('            "in": [1851, 1900],');
  expect(text).toContain(`f"Bearer {os.environ['EMBEDMILL_KEY']}"`);
});
