import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job } from '@embedmill/jobs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Embedmill, runCli } from '../embedmill.ts';
import { CHROMIUM, ConsoleBrowser, shown, WITHOUT } from './chromium.ts';

describe.skipIf(CHROMIUM === undefined)(`the console of a server with keys${WITHOUT}`, () => {
  let folder: string;
  let up: Embedmill;
  let browser: ConsoleBrowser;
  const keys = { root: '', acme: '' };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embedmill-keys-'));
    const file = join(folder, 'keys.json');
    keys.root = await newKey(file, ['--name', 'root', '--scopes', 'admin']);
    keys.acme = await newKey(file, ['--name', 'acme', '--scopes', 'submit,search', '--tenant', 'acme']);
    up = await Embedmill.up({ env: { EMBEDMILL_API_KEYS_FILE: file, EMBEDMILL_KEY: keys.root } });
    browser = await ConsoleBrowser.launch((await up.state()).url);
    const send = async <T>(path: string, key: string, body?: object): Promise<T> => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const response = await up.call(path, {
        headers,
        ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      });
      const text = await response.text();
      expect(response.status, text).toBeLessThan(300);
      return JSON.parse(text) as T;
    };
    await send('/api/v1/collections', keys.root, { name: 'shared' });
    for (const [id, key] of [
      ['others-document', keys.root],
      ['acmes-document', keys.acme],
    ] as const) {
      const documents = [{ id, text: `a text of ${id}` }];
      const job = await send<Job>('/api/v1/collections/shared/jobs', key, { documents });
      await up.until(`${id} is stored`, async () => {
        return (await send<Job>(`/api/v1/jobs/${job.id}`, key)).state === 'completed';
      });
    }
  });
  afterAll(async () => {
    await browser?.close();
    await up?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('a key is asked for, refused if it is wrong, and kept only in its tab', async () => {
    const page = await browser.open('#/jobs');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Key').fill('em_000000000000_nonsense');
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await dialog.getByText('does not accept this key').waitFor();
    await dialog.getByLabel('Key').fill(keys.root);
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await shown(page);
    await page.getByRole('link', { name: 'Keys' }).waitFor();
    expect(await page.evaluate<string>('JSON.stringify(localStorage)')).not.toContain('em_');
    await page.reload();
    await shown(page);
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.getByRole('dialog').waitFor();
    await page.context().close();
  });

  test('a tenant’s key sees its own jobs and documents, and no admin pages', async () => {
    const page = await browser.open('#/jobs');
    await page.getByRole('textbox', { name: 'Key' }).fill(keys.acme);
    await page.getByRole('button', { name: 'Continue' }).click();
    await expect.poll(() => page.locator('tr.row').count()).toBe(1);
    expect(await page.getByRole('link', { name: 'Keys' }).count()).toBe(0);
    const base = page.url().split('#')[0];
    await page.goto(`${base}#/collections/shared/documents`);
    await page.getByText('acmes-document').first().waitFor();
    expect(await page.getByText('others-document').count()).toBe(0);
    await page.goto(`${base}#/keys`);
    await page.getByText('Your key cannot access this page').waitFor();
    await page.context().close();
  });

  test('an admin creates a key, which is shown only once, and revokes it', async () => {
    const page = await browser.open('#/keys');
    await page.getByRole('textbox', { name: 'Key' }).fill(keys.root);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('reader');
    await page.getByRole('textbox', { name: 'Tenant' }).fill('acme');
    await page.getByRole('checkbox', { name: 'submit' }).uncheck();
    await page.getByRole('button', { name: 'Create the key' }).click();
    const dialog = page.getByRole('dialog');
    const key = (await dialog.locator('pre').textContent())?.trim() ?? '';
    const statusOf = async (path: string) =>
      (await up.call(path, { headers: { authorization: `Bearer ${key}` } })).status;
    expect(await statusOf('/api/v1/principal')).toBe(200);
    expect(await statusOf('/api/v1/keys')).toBe(403);
    await dialog.getByRole('button', { name: 'I have copied it' }).click();
    const row = page.getByRole('row', { name: /reader/ });
    await row.getByText('acme').waitFor();
    expect(await page.content()).not.toContain(key);
    expect(await page.getByRole('row', { name: 'root' }).getByText('in the keys file').count()).toBe(1);
    await row.getByRole('button', { name: 'Revoke' }).click();
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await row.waitFor({ state: 'detached' });
    expect(await statusOf('/api/v1/principal')).toBe(401);
    await page.context().close();
  });
});

async function newKey(file: string, args: string[]): Promise<string> {
  const { stdout, stderr } = await runCli(['keys', 'create', ...args, '--file', file]);
  const [key] = /em_[0-9a-f]{12}_[A-Za-z0-9_-]{43}/.exec(stdout) ?? [];
  if (key === undefined) throw new Error(`no key was made: ${stdout}${stderr}`);
  return key;
}
