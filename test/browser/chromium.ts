import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Debian’s, or the one that CHROME_PATH names; undefined if there is none. */
export const CHROMIUM = [process.env['CHROME_PATH'], '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
);
export const WITHOUT =
  CHROMIUM === undefined ? ' (no Chromium here: apt-get install chromium, or CHROME_PATH)' : '';

export const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Look {
  readonly width: number;
  readonly theme: 'light' | 'dark';
  readonly language: 'en' | 'zh';
}

export const DESKTOP: Look = { width: 1440, theme: 'light', language: 'en' };

/** A real browser that records the faults of its pages. */
export class ConsoleBrowser {
  readonly #browser: Browser;
  readonly #url: string;
  /** Errors of pages, and requests to other servers. */
  readonly faults: string[] = [];

  /** Origins that pages may request besides the server’s own. */
  readonly #others: readonly string[];

  private constructor(browser: Browser, url: string, others: readonly string[]) {
    this.#others = others;
    this.#browser = browser;
    this.#url = url;
  }

  static async launch(url: string, others: readonly string[] = []): Promise<ConsoleBrowser> {
    const browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: FLAGS });
    return new ConsoleBrowser(browser, url, others);
  }

  /** Opens a page in its own profile, at an address of the console such as `#/jobs`. */
  async open(hash: string, look: Look = DESKTOP): Promise<Page> {
    const { width, theme, language } = look;
    const isPhone = width < 600;
    const context = await this.#browser.newContext({
      viewport: { width, height: isPhone ? 844 : 900 },
      isMobile: isPhone,
      hasTouch: isPhone,
      colorScheme: theme,
      locale: language === 'zh' ? 'zh-CN' : 'en-GB',
    });
    const page = await context.newPage();
    const { origin } = new URL(this.#url);
    page.on('console', (message) => {
      if (message.type() === 'error') this.faults.push(`${hash}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.faults.push(`${hash}: ${error.message}`));
    page.on('request', (request) => {
      const asked = new URL(request.url());
      const isOwn = asked.origin === origin || this.#others.includes(asked.origin);
      if (asked.protocol !== 'blob:' && asked.protocol !== 'data:' && !isOwn)
        this.faults.push(`${hash}: asked ${asked.origin}`);
    });
    await page.goto(`${this.#url}/console/${hash}`);
    return page;
  }

  close(): Promise<void> {
    return this.#browser.close();
  }
}

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The serious and critical findings of axe-core in a page. */
export async function serious(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .map(({ html }) => html)
          .join(' | ')
          .slice(0, 400)}`,
    );
}

/** Waits until a page shows what it loaded. */
export async function shown(page: Page): Promise<void> {
  await page.locator('main h1').first().waitFor();
  await page.locator('main .loading').first().waitFor({ state: 'detached' });
}
