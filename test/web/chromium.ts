import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** The path of Debian's Chromium, or CHROMIUM_PATH; null if there is none. */
export const chromiumPath =
  [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
    (path) => path !== undefined && existsSync(path),
  ) ?? null;

export const NO_CHROMIUM =
  'there is no Chromium: install one (Debian: apt-get install chromium), or name one in CHROMIUM_PATH';

/** @throws Error if there is no Chromium */
export async function launchChromium(...args: string[]): Promise<Browser> {
  if (chromiumPath === null) throw new Error(NO_CHROMIUM);
  return chromium.launch({
    executablePath: chromiumPath,
    args: ['--no-sandbox', '--disable-dev-shm-usage', ...args],
  });
}
