import { existsSync } from 'node:fs';

/** Debian's Chromium, or the one that CHROMIUM_PATH names; null where there is none. */
export const chromiumPath =
  [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
    (path) => path !== undefined && existsSync(path),
  ) ?? null;
