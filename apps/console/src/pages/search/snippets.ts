import type { ApiRequest } from './asked.ts';

export const SNIPPET_KINDS = ['curl', 'typescript', 'python'] as const;
export type SnippetKind = (typeof SNIPPET_KINDS)[number];

export interface SnippetServer {
  /** Without a trailing slash. */
  readonly url: string;
  /** Whether requests need a key. The key is read from the environment and never appears in the snippet. */
  readonly needsKey: boolean;
}

/** Code that sends the same request to the same server. */
export function snippet(kind: SnippetKind, request: ApiRequest, server: SnippetServer): string {
  const { verb, collection, body } = request;
  const path = `api/v1/collections/${encodeURIComponent(collection)}/${verb}`;
  switch (kind) {
    case 'curl':
      return curl(path, body, server);
    case 'typescript':
      return typescript(request, server);
    case 'python':
      return python(path, body, server);
  }
}

function curl(path: string, body: object, { url, needsKey }: SnippetServer): string {
  const json = JSON.stringify(body, null, 2).replaceAll("'", String.raw`'\''`);
  return [
    `curl ${url}/${path} \\`,
    ...(needsKey ? [`  -H "Authorization: Bearer $EMBEDMILL_KEY" \\`] : []),
    `  -H 'Content-Type: application/json' \\`,
    `  -d '${json}'`,
  ].join('\n');
}

function typescript({ verb, collection, body }: ApiRequest, { url, needsKey }: SnippetServer): string {
  const key = needsKey ? ', apiKey: process.env.EMBEDMILL_KEY' : '';
  return [
    `import { createClient } from '@embedmill/client';`,
    '',
    `const client = createClient({ url: ${JSON.stringify(url)}${key} });`,
    `const { hits } = await client.${verb}(${JSON.stringify(collection)}, ${JSON.stringify(body, null, 2)});`,
  ].join('\n');
}

function python(path: string, body: object, { url, needsKey }: SnippetServer): string {
  return [
    ...(needsKey ? ['import os'] : []),
    'import requests',
    '',
    'response = requests.post(',
    `    ${JSON.stringify(`${url}/${path}`)},`,
    ...(needsKey ? [`    headers={"Authorization": f"Bearer {os.environ['EMBEDMILL_KEY']}"},`] : []),
    `    json=${pythonValue(body, '    ')},`,
    ')',
    'response.raise_for_status()',
    'hits = response.json()["hits"]',
  ].join('\n');
}

/** A JSON value as a Python literal. */
function pythonValue(value: unknown, margin: string): string {
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null || value === undefined) return 'None';
  if (Array.isArray(value)) return `[${value.map((one) => pythonValue(one, margin)).join(', ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(
      ([name, one]) => `${margin}    ${JSON.stringify(name)}: ${pythonValue(one, `${margin}    `)},`,
    );
    return entries.length === 0 ? '{}' : `{\n${entries.join('\n')}\n${margin}}`;
  }
  return JSON.stringify(value);
}
