/**
 * Measures the time from `git clone` to a filled table of the example invoices on the page, with the demo model. It needs Chromium,
 * and npm packages from the network. It prints the seconds of each part: npx tsx bench/newcomer.ts
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchChromium } from '../test/web/chromium.ts';

const repository = fileURLToPath(new URL('../', import.meta.url));
const folder = await mkdtemp(path.join(tmpdir(), 'newcomer-'));
const clone = path.join(folder, 'cogvlm2');
const startedAtMs = performance.now();
let lastMs = startedAtMs;

function lap(name: string): void {
  const nowMs = performance.now();
  console.log(`${((nowMs - lastMs) / 1000).toFixed(1).padStart(6)} s  ${name}`);
  lastMs = nowMs;
}

function run(command: string, args: string[], cwd: string): void {
  const { status, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

try {
  run('git', ['clone', '--quiet', '--no-local', repository, clone], folder);
  lap('git clone');
  run('npm', ['ci'], clone);
  lap('npm ci, which also builds');
  const server = spawn('npx', ['cogvlm2', 'serve', '--port', '0'], {
    cwd: clone,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = await once(server.stdout, 'data');
    const url = /at (http:\S+?),/.exec(String(line))?.[1];
    if (url === undefined) throw new Error(`The server did not print its address, but: ${line}`);
    const browser = await launchChromium();
    const page = await browser.newPage({ locale: 'en-US' });
    page.setDefaultTimeout(600_000);
    await page.goto(url);
    await page.locator('.server.ready').waitFor();
    lap('npx cogvlm2 serve, until the page is ready');
    await page.locator('input[webkitdirectory]').first().setInputFiles(path.join(clone, 'examples/invoices'));
    await page.locator('.batch-table tbody tr').nth(5).waitFor();
    await page.getByRole('button', { name: 'Invoice', exact: true }).click();
    await page.getByRole('button', { name: 'Read 6 pages' }).click();
    await page.locator('.state-done').nth(5).waitFor();
    lap('the folder, the preset, and 6 invoices with 5 fields each');
    for (const row of await page.locator('.batch-table tbody tr').all())
      console.log(`          ${(await row.locator('.cell').allTextContents()).join(' | ')}`);
    await browser.close();
  } finally {
    if (server.pid !== undefined) process.kill(-server.pid);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
lastMs = startedAtMs;
lap('in all');
