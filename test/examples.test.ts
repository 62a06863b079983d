import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFinished, type Job } from '@embedmill/jobs';
import { EXAMPLES, GIVEN_IDS } from '../apps/api/src/openapi/examples.ts';
import { Embedmill } from './embedmill.ts';

/** The requests in the API's description, sent as they are to a real embedmill, one after another. */

interface Operation {
  parameters?: { name: string; in: string; example?: string }[];
  requestBody?: { content: Record<string, { example?: unknown }> };
}
interface Description {
  paths: Record<string, Record<string, Operation>>;
}

let mill: Embedmill;
let sources: string;
/** The ids that the server last returned, which replace those of the description. */
const given: Record<string, string> = { ...GIVEN_IDS };

beforeAll(async () => {
  sources = await mkdtemp(join(tmpdir(), 'embedmill-sources-'));
  await mkdir(join(sources, 'catalogue'));
  await writeFile(join(sources, 'catalogue/one.ndjson'), '{"id":"emma","text":"Emma Woodhouse, handsome"}\n');
  mill = await Embedmill.up({ env: { EMBEDMILL_API_SOURCE_DIR: sources } });
});
afterAll(async () => {
  await mill?.stop();
  await rm(sources, { recursive: true, force: true });
});

/** Needs that a single machine with the bundled models does not meet. */
const UNMET =
  /^(a reranker|a job with failures|a finished embed job|a computed map|an upload|a server that requires keys|a key that)/;

test('every example of the description succeeds', async () => {
  const { paths } = await mill.json<Description>('/openapi.json');
  const answers: string[] = [];
  for (const [name, { needs = '' }] of Object.entries(EXAMPLES)) {
    const [method = '', path = ''] = name.split(' ');
    const operation = paths[path]?.[method.toLowerCase()];
    expect(operation, name).toBeDefined();
    if (operation === undefined || UNMET.test(needs)) continue;
    await settled();
    for (const [type, body] of bodiesOf(operation)) {
      const response = await mill.call(addressOf(path, operation), {
        method,
        ...(body !== undefined && { body: encoded(type, body) }),
        ...(type.startsWith('multipart/') || body === undefined ? {} : { headers: { 'content-type': type } }),
      });
      const text = await response.text();
      if (!response.ok) answers.push(`${name} (${type}): ${response.status} ${text.slice(0, 300)}`);
      else keepIds(text);
      if (bodiesOf(operation).length > 1) await settled();
    }
  }
  expect(answers).toEqual([]);
});

/** Waits until no job is under way, unless the queue is paused: later examples may need what a job stores. */
async function settled(): Promise<void> {
  const { paused } = await mill.json<{ paused: boolean }>('/api/v1/backlog');
  if (paused) return;
  await mill.until('all jobs have ended', async () => {
    const { jobs } = await mill.json<{ jobs: Job[] }>('/api/v1/jobs');
    return jobs.every(({ state }) => isFinished(state));
  });
}

function bodiesOf({ requestBody }: Operation): [type: string, body: unknown][] {
  const shown = Object.entries(requestBody?.content ?? {}).flatMap(([type, { example }]) =>
    example === undefined ? [] : [[type, example] as [string, unknown]],
  );
  return shown.length === 0 ? [['', undefined]] : shown;
}

function addressOf(path: string, { parameters = [] }: Operation): string {
  const shown = parameters.flatMap((one) =>
    one.example === undefined ? [] : { ...one, example: one.example },
  );
  const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const example = shown.find((one) => one.in === 'path' && one.name === name)?.example ?? '';
    return encodeURIComponent(withGiven(example));
  });
  const query = new URLSearchParams();
  for (const one of shown) if (one.in === 'query') query.append(one.name, one.example);
  return query.size === 0 ? filled : `${filled}?${query.toString()}`;
}

function encoded(type: string, body: unknown): string | FormData {
  if (typeof body === 'string') return body;
  if (type !== 'multipart/form-data') return withGiven(JSON.stringify(body));
  const form = new FormData();
  for (const [name, value] of Object.entries(body as Record<string, string>))
    form.append(name, value.startsWith('{') ? new File([value], 'lines.jsonl') : value);
  return form;
}

const withGiven = (text: string): string =>
  Object.entries(GIVEN_IDS).reduce((all, [kind, shown]) => all.replaceAll(shown, given[kind] ?? shown), text);

/** Remembers the ids in an answer: of jobs, files and others. */
function keepIds(text: string): void {
  for (const [id, kind = ''] of text.matchAll(
    /(?<![\w-])(job|file|batch|dataset|upload|part)[_-][a-z0-9_]{16,}/g,
  ))
    given[kind] = id;
}
