/**
 * Draws the screenshots of the page: docs/page.png (an image, two answers, the place where one was read), docs/page-table.png (a PDF of
 * three pages as a table) and docs/page-form.png (one of its pages), and the same in Chinese with `_zh`. It needs a Chromium and the built server,
 * which runs the demo model: npm run build && npx tsx docs/draw-page.ts
 *
 * With a folder, it draws them there in both languages, both colour schemes and two sizes, for a person to check: npx tsx docs/draw-page.ts looks
 */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type BrowserContextOptions, devices, type Page } from 'playwright-core';
import { serve } from '../test/server/served.ts';
import { launchChromium } from '../test/web/chromium.ts';
import { en } from '../web/language/en.ts';
import { zh } from '../web/language/zh.ts';

const SIZES: Record<string, BrowserContextOptions> = {
  desktop: { viewport: { width: 1200, height: 760 } },
  phone: { ...devices['Pixel 7'], viewport: { width: 390, height: 844 } },
};
/** Long, because the machine may be busy. */
const PATIENT_MS = 300_000;

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = process.argv[2];

async function draw(page: Page, words: typeof en, fileOf: (name: string) => string): Promise<void> {
  await page.locator('.server.ready').waitFor();
  await page.locator('.examples button:enabled').first().click();
  await page.locator('.answer[data-state="done"]').waitFor();
  await page.locator('#question').fill(words.demoSuggestions[1] ?? '');
  await page.locator('.send:enabled').click();
  const answer = page.locator('.answer[data-state="done"]').nth(1);
  await answer.waitFor();
  await answer.getByRole('button', { name: words.whereRead }).click();
  await page.screenshot({ path: fileOf('page') });

  await startAgain(page, words.newConversation);
  await page.locator('input[type=file]').first().setInputFiles(`${root}examples/receipts/receipts.pdf`);
  await page.locator('.batch-table tbody tr').nth(2).waitFor();
  await page.getByRole('button', { name: words.batch.presetNames.receipt, exact: true }).click();
  await page.locator('.run-bar .primary:enabled').click();
  await page.locator('.state-done').nth(2).waitFor();
  await page.mouse.move(0, 0);
  await page.screenshot({ path: fileOf('page-table') });

  await page.locator('.batch-table tbody tr').nth(1).locator('.cell').nth(2).click();
  await page.locator('.cell-field textarea').nth(2).focus();
  await page.locator('.marks .mark').first().waitFor();
  await page.screenshot({ path: fileOf('page-form') });
}

async function startAgain(page: Page, name: string): Promise<void> {
  const button = page.getByRole('button', { name, exact: true });
  // On a phone it is in the list of conversations, which slides in.
  if (!(await button.isVisible())) await page.locator('.header button').first().click();
  await button.click();
}

const colourSchemes = folder === undefined ? (['light'] as const) : (['light', 'dark'] as const);
const sizes = folder === undefined ? ['desktop'] : Object.keys(SIZES);
const looks = Object.entries({ en, zh }).flatMap(([language, words]) =>
  colourSchemes.flatMap((colours) => sizes.map((size) => ({ language, words, colours, size }))),
);

if (folder !== undefined) await mkdir(folder, { recursive: true });
await using server = await serve();
const browser = await launchChromium();
for (const { language, words, colours, size } of looks) {
  const context = await browser.newContext({
    ...SIZES[size],
    locale: language === 'en' ? 'en-US' : 'zh-CN',
    colorScheme: colours,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENT_MS);
  await page.goto(server.url);
  await draw(page, words, (name) =>
    folder === undefined
      ? `${root}docs/${name}${language === 'en' ? '' : '_zh'}.png`
      : `${folder}/${name}-${language}-${colours}-${size}.png`,
  );
  await context.close();
}
await browser.close();
