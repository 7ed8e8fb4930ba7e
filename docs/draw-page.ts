/**
 * Draws docs/page.png, two questions about an image, and docs/page-table.png, a PDF as a table. It needs a real Chromium and the built
 * server, which runs the demo model:
 * npm run build && npx tsx docs/draw-page.ts
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../', import.meta.url));
const server = spawn(process.execPath, ['dist/cli/main.js', 'serve', '--port', '0'], { cwd: root });
const [line] = (await once(server.stdout, 'data')) as [Buffer];
const url = /at (http:\S+?),/.exec(String(line))?.[1];
if (url === undefined) throw new Error(`The server said: ${line}`);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const page = await browser.newPage({ viewport: { width: 1200, height: 760 }, locale: 'en-US' });
await page.goto(url);
await page.locator('.examples button:enabled').first().click();
await page.locator('.answer[data-state="done"]').waitFor();
await page.locator('#question').fill('What is the date?');
await page.locator('.send:enabled').click();
await page.locator('.answer[data-state="done"]').nth(1).waitFor();
await page.locator('.answer').nth(1).hover();
await page.screenshot({ path: `${root}docs/page.png` });

await page.getByRole('button', { name: 'New conversation' }).click();
await page.locator('input[type=file]').first().setInputFiles(`${root}examples/receipts/receipts.pdf`);
await page.getByRole('button', { name: 'Receipt', exact: true }).click();
await page.getByRole('button', { name: 'Read 3 pages' }).click();
await page.locator('.state-done').nth(2).waitFor();
await page.screenshot({ path: `${root}docs/page-table.png` });
await browser.close();
server.kill();
