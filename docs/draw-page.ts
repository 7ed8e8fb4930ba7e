/**
 * Draws docs/page.png: two questions on the chat page, in a real Chromium, to the built server with the demonstration model:
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
const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, locale: 'en-US' });
await page.goto(url);
await page.locator('.examples button:enabled').first().click();
await page.getByRole('button', { name: 'Ask again' }).waitFor();
await page.locator('#question').fill('What is the date?');
await page.locator('.send:enabled').click();
await page.getByRole('button', { name: 'Ask again' }).nth(1).waitFor();
await page.screenshot({ path: `${root}docs/page.png` });
await browser.close();
server.kill();
