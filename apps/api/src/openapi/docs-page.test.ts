import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testKeys } from '../access/test-keys.ts';
import { EXAMPLES } from './examples.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

const PREFIX = '/search/mill';
let api: TestApi;
let proxy: Server;
let below: string;

beforeAll(async () => {
  const keys = await testKeys();
  api = await startTestApi({ config: { access: keys.access } });
  api.onClose(() => keys.remove());
  // Like a reverse proxy that adds a path prefix.
  proxy = createServer((asked, answer) => {
    const path = asked.url?.startsWith(`${PREFIX}/`) === true ? asked.url.slice(PREFIX.length) : '/nowhere';
    const sent = request(new URL(path, api.url), { method: asked.method, headers: asked.headers });
    sent.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 500, response.headers);
      response.pipe(answer);
    });
    asked.pipe(sent);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  below = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${PREFIX}`;
});
afterAll(async () => {
  await new Promise((resolve) => proxy.close(resolve));
  await api.close();
});

test.each([
  ['at the root', () => api.url],
  ['below a path', () => below],
])('the page, %s, loads all it needs from its own server, without a key', async (_where, base) => {
  const page = await fetch(`${base()}/docs`);
  expect({ status: page.status, url: page.url }).toEqual({ status: 200, url: `${base()}/docs/` });
  const html = await page.text();
  const addresses = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = '']) => address);
  const files = addresses.filter((address) => address !== 'data:,');
  expect(files).toHaveLength(3);
  for (const file of files) {
    const response = await fetch(new URL(file, page.url));
    expect(response.status, file).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/(css|javascript)/);
    await response.body?.cancel();
  }
  const start = await (await fetch(new URL('start.js', page.url))).text();
  const [, address = ''] = /url: '([^']+)'/.exec(start) ?? [];
  const description = await fetch(new URL(address, page.url));
  expect(description.status).toBe(200);
  const { servers } = (await description.json()) as { servers: { url: string }[] };
  expect(servers.map(({ url }) => new URL(url, description.url).href)).toEqual([`${base()}/`]);
});

test('its policy allows neither inline scripts nor those of other origins', async () => {
  const page = await api.call('/docs/');
  const html = await page.text();
  expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|\son\w+=|<style|style=|https?:/i);
  const policy = new Map(
    (page.headers.get('content-security-policy') ?? '')
      .split('; ')
      .map((one) => [one.slice(0, one.indexOf(' ')), one.slice(one.indexOf(' ') + 1)]),
  );
  expect(policy.get('default-src')).toBe("'none'");
  for (const kind of ['script-src', 'style-src', 'connect-src']) expect(policy.get(kind)).toBe("'self'");
  const etag = page.headers.get('etag') ?? '';
  const again = await api.call('/docs/', { headers: { 'if-none-match': etag } });
  expect([again.status, await again.text()]).toEqual([304, '']);
});

test('there is nothing else below it', async () => {
  for (const path of ['/docs/index.css', '/docs/..%2fpackage.json', '/docs/x/start.js'])
    expect(await api.json('GET', path), path).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

interface Description {
  paths: Record<string, Record<string, Operation>>;
}
interface Operation {
  parameters?: { name: string; in: string; example?: string }[];
  requestBody?: { content: Record<string, { example?: unknown }> };
}

test('each operation that takes something has an example of it', async () => {
  const { paths } = (await (await api.call('/openapi.json')).json()) as Description;
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, one]) => [`${method.toUpperCase()} ${path}`, one] as const),
  );
  const without = described.filter(([, { parameters = [], requestBody }]) => {
    const inPath = parameters.filter((one) => one.in === 'path');
    const contents = Object.values(requestBody?.content ?? {});
    const isShown = contents.length === 0 || contents.some(({ example }) => example !== undefined);
    return !isShown || inPath.some(({ example }) => example === undefined);
  });
  expect(without.map(([name]) => name)).toEqual([]);
  const names = new Set<string>(described.map(([name]) => name));
  expect(Object.keys(EXAMPLES).filter((name) => !names.has(name))).toEqual([]);
});
