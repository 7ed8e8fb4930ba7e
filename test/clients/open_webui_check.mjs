// @ts-nocheck: a page of another program, without types
/**
 * Open WebUI in a real Chromium: node test/clients/open_webui_check.mjs WEBUI_URL IMAGE [SCREENSHOT_FOLDER]
 * docs/clients.md has the commands that start Open WebUI. CHROMIUM is the path of the browser; default: /usr/bin/chromium.
 */
import { chromium } from 'playwright-core';

const [url, image, screenshots] = process.argv.slice(2);
const patience = { timeout: 300_000 };
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(patience.timeout);
const shot = (name) => screenshots && page.screenshot({ path: `${screenshots}/${name}.png` });

try {
  await page.goto(url, patience);
  await page.waitForSelector('#chat-input', patience);
  // Dialogs about a new version or the first start cover the page.
  for (const name of [/okay, let's go/i, /^close$/i]) {
    const button = page.getByRole('button', { name });
    if (await button.first().isVisible()) await button.first().click();
  }
  await shot('1-start');
  await page.locator('input[type=file]').first().setInputFiles(image);
  await page.waitForTimeout(3_000);
  await page.locator('#chat-input').click();
  await page.keyboard.type('What is the total?');
  await shot('2-question');
  await page.keyboard.press('Enter');
  const answer = page.locator('#response-content-container').first();
  await answer.waitFor(patience);
  await page.waitForFunction(
    () => /\d/.test(document.querySelector('#response-content-container')?.textContent ?? ''),
    undefined,
    patience,
  );
  await page.waitForTimeout(3_000);
  await shot('3-answer');
  console.log(`ok      image, stream: ${JSON.stringify((await answer.textContent())?.trim().slice(0, 100))}`);
} catch (error) {
  await shot('failed');
  process.exitCode = 1;
  console.log(`FAILED  image, stream: ${String(error).slice(0, 300)}`);
} finally {
  await browser.close();
}
