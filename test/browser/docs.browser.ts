import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { startTestApi } from '../../apps/api/src/testing/test-api.ts';
import { CHROMIUM, FLAGS, WITHOUT } from './chromium.ts';

test.skipIf(CHROMIUM === undefined)(
  `a request can be tried on /docs, under the page’s Content-Security-Policy${WITHOUT}`,
  async () => {
    const api = await startTestApi();
    const browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: FLAGS });
    try {
      const page = await browser.newPage();
      const faults: string[] = [];
      // A request that the policy refuses is also an error of the page.
      page.on('console', (message) => {
        if (message.type() === 'error') faults.push(message.text());
      });
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('request', (request) => {
        const { protocol, origin } = new URL(request.url());
        if (protocol !== 'data:' && origin !== api.url) faults.push(`asked ${origin}`);
      });
      await page.goto(`${api.url}/docs`);
      await page.locator('#operations-tag-models').click();
      await page.locator('#operations-models-get_api_v1_models .opblock-summary-control').click();
      await page.getByRole('button', { name: 'Try it out' }).click();
      await page.getByRole('button', { name: 'Execute' }).click();
      const answer = page.locator('.live-responses-table .response');
      await expect.poll(() => answer.first().textContent()).toContain('all-MiniLM-L6-v2');
      expect(await answer.locator('.response-col_status').textContent()).toContain('200');
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
      await api.close();
    }
  },
);
