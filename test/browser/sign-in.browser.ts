import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Embedmill } from '../embedmill.ts';
import { CHROMIUM, ConsoleBrowser, shown, WITHOUT } from './chromium.ts';
import { FakeProvider } from './fake-provider.ts';

describe.skipIf(CHROMIUM === undefined)(`the console with an issuer of tokens${WITHOUT}`, () => {
  let provider: FakeProvider;
  let up: Embedmill;
  let browser: ConsoleBrowser;

  beforeAll(async () => {
    provider = await FakeProvider.start();
    up = await Embedmill.up({
      env: {
        EMBEDMILL_API_OIDC_ISSUER: provider.url,
        EMBEDMILL_API_OIDC_AUDIENCE: 'embedmill',
        EMBEDMILL_API_OIDC_CLIENT_ID: provider.clientId,
      },
    });
    const { url } = await up.state();
    provider.redirectUri = `${url}/console/`;
    browser = await ConsoleBrowser.launch(url, [provider.url]);
  });
  afterAll(async () => {
    await browser?.close();
    await up?.stop();
    await provider?.stop();
  });

  const signIn = /Sign in with/;

  test('signing in leads to the provider and back to the page, as whom the token says', async () => {
    const page = await browser.open('#/jobs');
    await page.getByRole('button', { name: signIn }).click();
    await page.getByRole('button', { name: 'Continue as Ada' }).click();
    await page.waitForURL(/#\/jobs$/);
    await shown(page);
    await page.getByRole('link', { name: 'Submit', exact: true }).waitFor();
    // Of a token without the scope, as of such a key.
    expect(await page.getByRole('link', { name: 'Keys' }).count()).toBe(0);
    expect(page.url()).not.toContain('code=');
    expect(provider.exchanges).toEqual(['ok']);
    expect(await page.evaluate<string>('JSON.stringify(localStorage)')).not.toContain('eyJ');
    await page.reload();
    await shown(page);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: signIn }).waitFor();
    expect(browser.faults.filter((fault) => !fault.includes('401'))).toEqual([]);
    await page.context().close();
  });

  test('who says no at the provider is told so, and may try again', async () => {
    const page = await browser.open('#/search');
    await page.getByRole('button', { name: signIn }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Ada does not want to').waitFor();
    await page.getByRole('button', { name: signIn }).waitFor();
    await page.context().close();
  });

  test('a code that this tab did not ask for is refused, and sent nowhere', async () => {
    const before = provider.exchanges.length;
    const page = await browser.open('#/jobs');
    await page.getByRole('button', { name: signIn }).waitFor();
    await page.goto(`${provider.redirectUri}?code=stolen&state=made-up`);
    await page.getByText('the sign-in was not started in this tab').waitFor();
    expect(page.url()).not.toContain('stolen');
    expect(provider.exchanges.length).toBe(before);
    await page.context().close();
  });
});
