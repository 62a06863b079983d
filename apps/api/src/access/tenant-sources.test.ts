import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job, JobId, TenantId } from '@embedmill/jobs';
import type { Problem } from '../http/problem.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { testKeys } from './test-keys.ts';

let api: TestApi;
const keys: Record<'admin' | 'acme' | 'slashed', string> = {} as never;

beforeAll(async () => {
  const sources = await mkdtemp(join(tmpdir(), 'embedmill-sources-'));
  for (const tenant of ['acme', 'other']) {
    await mkdir(join(sources, tenant));
    await writeFile(join(sources, tenant, `${tenant}.ndjson`), '{"id":"a","text":"x"}\n');
  }
  await symlink(join(sources, 'other', 'other.ndjson'), join(sources, 'acme', 'link.ndjson'));
  const file = await testKeys();
  const scopes: 'submit'[] = ['submit'];
  keys.admin = (await file.add({ name: 'admin', scopes: ['admin'] })).authorization;
  keys.acme = (await file.add({ name: 'acme', scopes, tenant: 'acme' as TenantId })).authorization;
  keys.slashed = (await file.add({ name: 'slashed', scopes, tenant: '../other' as TenantId })).authorization;
  api = await startTestApi({
    config: { access: file.access, sourceFolder: sources, s3Sources: ['s3://docs/in'] },
  });
  api.onClose(() => file.remove());
  api.onClose(() => rm(sources, { recursive: true, force: true }));
  await as('admin', 'POST', '/api/v1/collections', { name: 'docs' });
});
afterAll(() => api.close());

const as = (who: keyof typeof keys, method: string, path: string, body: unknown) =>
  api.json(method, path, body, { authorization: keys[who] });
const submit = (who: keyof typeof keys, body: unknown) =>
  as(who, 'POST', '/api/v1/collections/docs/jobs', body);

test.each([
  ['an upload', undefined],
  [
    'documents in the request',
    {
      documents: [
        { id: 'a', text: 'x' },
        { id: 'b', text: 'x', tenant: 'acme' },
      ],
    },
  ],
  ['a path', { source: { path: 'acme.ndjson' } }],
  ['a URL', { source: { url: 'http://127.0.0.1:9/docs.ndjson' } }],
])('a job by %s carries the tenant of its key, for those who read its lines', async (_name, body) => {
  const { status, body: job } =
    body === undefined
      ? await api
          .submit('docs', '{"id":"a","text":"x"}\n', { authorization: keys.acme })
          .then(async (answer) => ({
            status: answer.status,
            body: (await answer.json()) as Job,
          }))
      : await submit('acme', body);
  expect(status).toBe(202);
  expect(job).toMatchObject({ tenant: 'acme' });
  expect((await api.parts.queue.getSubmission((job as Job).id as JobId))?.tenant).toBe('acme');
});

test('an admin’s job is bound to none', async () => {
  const { status, body } = await submit('admin', { source: { path: 'other/other.ndjson' } });
  expect(status).toBe(202);
  expect(body).not.toHaveProperty('tenant');
});

test.each([
  ['acme', { source: { path: '../other/other.ndjson' } }, 'source_forbidden'],
  ['acme', { source: { path: 'link.ndjson' } }, 'source_forbidden'],
  ['acme', { source: { path: 'other/other.ndjson' } }, 'source_unreadable'],
  ['slashed', { source: { path: 'other.ndjson' } }, 'source_forbidden'],
  ['acme', { source: { s3: 's3://docs/in/other/a.ndjson' } }, 'source_forbidden'],
  ['acme', { source: { s3: 's3://docs/in/acme/../other/a.ndjson' } }, 'source_forbidden'],
  ['acme', { source: { s3: 's3://docs/in/acmeother/a.ndjson' } }, 'source_forbidden'],
  ['slashed', { source: { s3: 's3://docs/in/other/a.ndjson' } }, 'source_forbidden'],
  [
    'acme',
    {
      documents: [
        { id: 'a', text: 'x' },
        { id: 'b', text: 'x', tenant: 'other' },
      ],
    },
    'foreign_tenant',
  ],
] as const)('%s cannot submit %j', async (who, body, code) => {
  const refused = await submit(who, body);
  expect(refused.body as Problem).toMatchObject({ code });
  expect(refused.status).toBeGreaterThanOrEqual(400);
});
