/**
 * Draws the screenshots of the page: docs/page.png (an image, two answers, the place where one was read), docs/page-table.png (a PDF of
 * three pages as a table) and docs/page-form.png (one of its pages), and the same in Chinese with `_zh`. It needs a Chromium and the built server,
 * which runs the demo model: npm run build && npx tsx docs/draw-page.ts
 *
 * With a folder, it draws every look there instead, for a person to check: npx tsx docs/draw-page.ts /tmp/looks
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, devices, type Page } from 'playwright-core';

interface Look {
  language: 'en' | 'zh';
  colours: 'light' | 'dark';
  size: 'desktop' | 'phone';
}

const SIZES = {
  desktop: { viewport: { width: 1200, height: 760 } },
  phone: { ...devices['Pixel 7'], viewport: { width: 390, height: 844 } },
};
const WORDS = {
  en: {
    date: 'What is the date?',
    receipt: 'Receipt',
    fresh: 'New conversation',
    where: 'Show where this was read',
  },
  zh: { date: '日期是什么？', receipt: '小票', fresh: '新对话', where: '显示来源位置' },
};
/** Other work may keep the machine busy. */
const PATIENT_MS = 300_000;

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = process.argv[2];

async function draw(
  browser: Browser,
  url: string,
  look: Look,
  fileOf: (name: string) => string,
): Promise<void> {
  const { language, colours, size } = look;
  const words = WORDS[language];
  const context = await browser.newContext({
    ...SIZES[size],
    locale: language === 'en' ? 'en-US' : 'zh-CN',
    colorScheme: colours,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENT_MS);
  await page.goto(url);
  await page.locator('.server.ready').waitFor();
  await page.locator('.examples button:enabled').first().click();
  await page.locator('.answer[data-state="done"]').waitFor();
  await page.locator('#question').fill(words.date);
  await page.locator('.send:enabled').click();
  const answer = page.locator('.answer[data-state="done"]').nth(1);
  await answer.waitFor();
  await answer.getByRole('button', { name: words.where }).click();
  await page.screenshot({ path: fileOf('page') });

  await startAgain(page, words.fresh);
  await page.locator('input[type=file]').first().setInputFiles(`${root}examples/receipts/receipts.pdf`);
  await page.locator('.batch-table tbody tr').nth(2).waitFor();
  await page.getByRole('button', { name: words.receipt, exact: true }).click();
  await page.locator('.run-bar .primary:enabled').click();
  await page.locator('.state-done').nth(2).waitFor();
  await page.mouse.move(0, 0);
  await page.screenshot({ path: fileOf('page-table') });

  await page.locator('.batch-table tbody tr').nth(1).locator('.cell').nth(2).click();
  await page.locator('.cell-field textarea').nth(2).focus();
  await page.locator('.marks .mark').first().waitFor();
  await page.screenshot({ path: fileOf('page-form') });
  await context.close();
}

async function startAgain(page: Page, name: string): Promise<void> {
  const button = page.getByRole('button', { name, exact: true });
  // On a phone it is in the list of conversations, which slides in.
  if (!(await button.isVisible())) await page.locator('.header button').first().click();
  await button.click();
}

const server = spawn(process.execPath, ['dist/cli/main.js', 'serve', '--port', '0'], { cwd: root });
try {
  const [line] = (await once(server.stdout, 'data')) as [Buffer];
  const url = /at (http:\S+?),/.exec(String(line))?.[1];
  if (url === undefined) throw new Error(`The server said: ${line}`);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  for (const language of ['en', 'zh'] as const) {
    if (folder === undefined) {
      const end = language === 'en' ? '' : '_zh';
      await draw(
        browser,
        url,
        { language, colours: 'light', size: 'desktop' },
        (name) => `${root}docs/${name}${end}.png`,
      );
      continue;
    }
    await mkdir(folder, { recursive: true });
    for (const colours of ['light', 'dark'] as const)
      for (const size of ['desktop', 'phone'] as const)
        await draw(
          browser,
          url,
          { language, colours, size },
          (name) => `${folder}/${name}-${language}-${colours}-${size}.png`,
        );
  }
  await browser.close();
} finally {
  server.kill();
}
