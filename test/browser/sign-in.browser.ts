import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Embedmill } from '../embedmill.ts';
import { CHROMIUM, ConsoleBrowser, shown, WITHOUT } from './chromium.ts';
import { FakeProvider } from './fake-provider.ts';

describe.skipIf(CHROMIUM === undefined)(`the console with an OpenID issuer${WITHOUT}`, () => {
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

  test('signing in leads to the provider and back to the page, as the token’s principal', async () => {
    const page = await browser.open('#/jobs');
    await page.getByRole('button', { name: signIn }).click();
    await page.getByRole('button', { name: 'Continue as Ada' }).click();
    await page.waitForURL(/#\/jobs$/);
    await shown(page);
    await page.getByRole('link', { name: 'Submit', exact: true }).waitFor();
    // A token without the scope sees what such a key sees.
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

  test('a user who refuses at the provider is told so and can try again', async () => {
    const page = await browser.open('#/search');
    await page.getByRole('button', { name: signIn }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Ada does not want to').waitFor();
    await page.getByRole('button', { name: signIn }).waitFor();
    await page.context().close();
  });

  test('a code that this tab did not request is refused and sent nowhere', async () => {
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
