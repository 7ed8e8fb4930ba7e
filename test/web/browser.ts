/** A real Chromium on the built page. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContextOptions, devices, type Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { chromiumPath, launchChromium, NO_CHROMIUM } from './chromium.ts';
import { BUILT_PAGE } from './scripted-server.ts';

/** Why tests in a browser cannot run here; null if they can. */
export const noBrowser =
  chromiumPath === null
    ? NO_CHROMIUM
    : existsSync(BUILT_PAGE)
      ? null
      : 'the page is not built: npm run build';

/** Long timeouts for busy machines. Tests wait for conditions, not for times. */
export const PATIENT = { timeout: 240_000 };

export const SIZES = ['phone', 'tablet', 'laptop', 'desktop'] as const;

export interface Look {
  language: 'en-US' | 'zh-CN';
  size: (typeof SIZES)[number];
  colours: 'light' | 'dark';
}

export const DESKTOP: Look = { language: 'en-US', size: 'desktop', colours: 'light' };
export const PHONE: Look = { language: 'zh-CN', size: 'phone', colours: 'dark' };

const CONTEXTS: Record<Look['size'], BrowserContextOptions> = {
  desktop: { viewport: { width: 1440, height: 900 } },
  laptop: { viewport: { width: 1280, height: 800 } },
  tablet: { viewport: { width: 900, height: 1100 } },
  phone: { ...devices['Pixel 7'], viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
};

/**
 * One browser for a test file, and one page for each look, which is opened when a test needs it. Each scripted server has its own port,
 * so it is its own origin, and a test finds no data of earlier tests.
 */
export function useBrowser() {
  let browser: Browser;
  const open = new Map<string, OpenPage>();
  beforeAll(async () => {
    if (chromiumPath === null) return;
    browser = await launchChromium('--host-resolver-rules=MAP page.test 127.0.0.1');
  }, PATIENT.timeout);
  afterAll(async () => {
    await browser?.close();
  }, PATIENT.timeout);

  return async function onPage(
    look: Look,
    url: string,
    test: (page: Page) => Promise<void>,
  ): Promise<string[]> {
    const key = JSON.stringify(look);
    const opened = open.get(key) ?? (await openPage(browser, look));
    open.set(key, opened);
    const { page, wrongs } = opened;
    wrongs.length = 0;
    opened.origin = new URL(url).origin;
    await page.goto(url);
    await page.locator('.header').waitFor();
    await test(page);
    const done = [...wrongs];
    // The page polls its server. This must not count as a request of the next test.
    await page.goto('about:blank');
    return done;
  };
}

interface OpenPage {
  page: Page;
  /** The only origin for requests. */
  origin: string;
  /** Forbidden events: errors, dialogs, violations of the policy, requests to other origins. */
  wrongs: string[];
}

async function openPage(browser: Browser, { language, size, colours }: Look): Promise<OpenPage> {
  const context = await browser.newContext({
    ...CONTEXTS[size],
    locale: language,
    colorScheme: colours,
    reducedMotion: 'reduce',
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const opened: OpenPage = { page, origin: '', wrongs: [] };
  const { wrongs } = opened;
  page.setDefaultTimeout(100_000);
  page.setDefaultNavigationTimeout(100_000);
  page.on('pageerror', (error) => wrongs.push(String(error)));
  page.on('dialog', (dialog) => {
    wrongs.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) wrongs.push(message.text());
  });
  page.on('request', (request) => {
    const url = request.url();
    if (/^https?:/.test(url) && !url.startsWith(`${opened.origin}/`)) wrongs.push(`request to ${url}`);
  });
  return opened;
}

/** Takes a screenshot if COGVLM2_SCREENSHOTS names a folder. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env.COGVLM2_SCREENSHOTS;
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}

/** Asks a question with the keyboard. */
export async function ask(page: Page, question: string): Promise<void> {
  await page.locator('#question').fill(question);
  await page.locator('#question').press(page.viewportSize()?.width === 390 ? 'Control+Enter' : 'Enter');
}

/** The visible answers, without the texts for screen readers. */
export const answers = (page: Page) => page.locator('.answer');

/** Waits until the newest answer is complete. */
export const answered = (page: Page) =>
  page.locator('.answer').last().and(page.locator('[data-state="done"]')).waitFor();

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * Returns the findings of axe-core for the current page: rules of WCAG 2.2 A and AA, and best practices.
 * @param rules only these rules; empty: all rules
 */
export async function accessibilityFindings(page: Page, rules: string[] = []): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async (runOnly) => {
    const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
    const { violations } = await axe.run(runOnly.length > 0 ? { runOnly } : {});
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(
        ({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary?.slice(0, 200)}`,
      ),
    );
  }, rules);
}
