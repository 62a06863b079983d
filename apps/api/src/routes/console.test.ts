import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
const SCRIPT = `export const words = ${JSON.stringify('many words '.repeat(200))};`;
const PAGE = '<!doctype html><script type="module" src="./assets/index-Ab12.js"></script>';
const issuer = 'https://id.example.com/realms/mill';
const oidc = { issuer, audience: 'embedmill', scopeClaim: 'scope', tenantClaim: undefined };
const access = { keysFile: undefined, metricsKey: undefined, auditFile: undefined, oidc };

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-console-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), PAGE);
  await writeFile(join(folder, 'assets', 'index-Ab12.js'), SCRIPT);
  await writeFile(join(folder, 'assets', 'index-Ab12.js.map'), '{}');
  api = await startTestApi({ consoleFolder: folder, config: { access, pathPrefix: '/mill' } });
  api.onClose(() => rm(folder, { recursive: true, force: true }));
});
afterAll(() => api.close());

/** As it comes, not decompressed. */
function raw(path: string, headers: Record<string, string>) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    headers: NodeJS.Dict<unknown>;
    body: Buffer;
  }>();
  request(new URL(path, api.url), { headers }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
  })
    .on('error', reject)
    .end();
  return promise;
}

test('the page is public, revalidated each time, and may load and request nothing from elsewhere', async () => {
  const page = await api.call('/console/');
  expect(page.status).toBe(200);
  expect(await page.text()).toBe(PAGE);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(page.headers.get('cache-control')).toBe('no-cache');
  const policy = page.headers.get('content-security-policy');
  expect(policy).toContain("default-src 'self'");
  expect(policy).toContain("connect-src 'self' https://id.example.com;");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe-inline');
  const again = await api.call('/console/', { headers: { 'if-none-match': page.headers.get('etag') ?? '' } });
  expect(again.status).toBe(304);
});

test('files with a hash in their name stay with the browser for ever, compressed as it can read them', async () => {
  const path = '/console/assets/index-Ab12.js';
  const best = await raw(path, { 'accept-encoding': 'gzip, deflate, br' });
  expect(best.headers).toMatchObject({
    'content-encoding': 'br',
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
    vary: 'accept-encoding',
  });
  expect(brotliDecompressSync(best.body).toString()).toBe(SCRIPT);
  expect(best.body.length).toBeLessThan(SCRIPT.length / 5);
  const second = await raw(path, { 'accept-encoding': 'br;q=0, gzip' });
  expect(second.headers['content-encoding']).toBe('gzip');
  expect(gunzipSync(second.body).toString()).toBe(SCRIPT);
  const plain = await raw(path, {});
  expect(plain.headers['content-encoding']).toBeUndefined();
  expect(plain.body.toString()).toBe(SCRIPT);
});

test.each(['/console/none.js', '/console/assets/index-Ab12.js.map', '/console/..%2f..%2fetc%2fpasswd'])(
  '%s is no file of the console',
  async (path) => {
    expect((await api.call(path)).status).toBe(404);
  },
);

test('at the root a browser is led to the console, and a program is answered as before', async () => {
  const headers = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
  const page = await api.call('/', { headers, redirect: 'manual' });
  expect([page.status, page.headers.get('location')]).toEqual([302, 'console/']);
  for (const accept of ['*/*', 'application/json']) {
    const answer = await api.call('/', { headers: { accept } });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  }
});

test('all of it works below a path, whether a proxy takes it away or not', async () => {
  const slashless = await api.call('/mill/console');
  expect(new URL(slashless.url).pathname).toBe('/mill/console/');
  expect(await slashless.text()).toBe(PAGE);
  expect((await api.call('/mill/readyz')).status).toBe(200);
  expect((await api.call('/readyz')).status).toBe(200);
});

test('where the console is not built, the answer says how to build it', async () => {
  const bare = await startTestApi({ consoleFolder: '/nowhere/console' });
  try {
    expect(await bare.json('GET', '/console/')).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('npm run build -w apps/console') },
    });
  } finally {
    await bare.close();
  }
});
