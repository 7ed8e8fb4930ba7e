/**
 * The folders of a user, and the folder and version of this package. A folder of a user is null if the user has no home, as a
 * user id without an entry in /etc/passwd.
 */

import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

type Env = Readonly<Record<string, string | undefined>>;

export function homeFolder(env: Env = process.env): string | null {
  return absolute(env.HOME) ?? homeOfUser();
}

/**
 * For files that can be made again: `$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on
 * Windows.
 */
export function userCacheDirectory(
  env: Env = process.env,
  platform: NodeJS.Platform = process.platform,
): string | null {
  if (platform === 'win32') return localAppData(env);
  if (platform === 'darwin') return inHome(env, 'Library', 'Caches');
  return absolute(env.XDG_CACHE_HOME) ?? inHome(env, '.cache');
}

/**
 * The folder for data that cogvlm2 keeps between runs: `cogvlm2` in `$XDG_STATE_HOME`, in `~/.local/state`, or on Windows in
 * `%LOCALAPPDATA%`.
 */
export function stateDirectory(
  env: Env = process.env,
  platform: NodeJS.Platform = process.platform,
): string | null {
  const systemDefault = platform === 'win32' ? localAppData(env) : inHome(env, '.local', 'state');
  const base = absolute(env.XDG_STATE_HOME) ?? systemDefault;
  return base && path.join(base, 'cogvlm2');
}

function localAppData(env: Env): string | null {
  return absolute(env.LOCALAPPDATA) ?? inHome(env, 'AppData', 'Local');
}

/** The XDG rules ignore relative paths. */
function absolute(folder: string | undefined): string | null {
  return folder !== undefined && path.isAbsolute(folder) ? folder : null;
}

function inHome(env: Env, ...names: string[]): string | null {
  const home = homeFolder(env);
  return home && path.join(home, ...names);
}

function homeOfUser(): string | null {
  try {
    return os.homedir() || null;
  } catch {
    return null;
  }
}

/** This package: two folders up, from src/files and from dist/files. */
const root = new URL('../../', import.meta.url);

export function packageVersion(): string {
  const text = readFileSync(new URL('package.json', root), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export function packageDirectory(): string {
  return fileURLToPath(root);
}
