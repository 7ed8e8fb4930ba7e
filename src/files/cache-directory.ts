import os from 'node:os';
import path from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Where programs of this user keep what they can make again: `$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on
 * macOS, `%LOCALAPPDATA%` on Windows. Null where the user has no home, as a user id without an entry in /etc/passwd.
 */
export function userCacheDirectory(
  env: Env = process.env,
  platform: NodeJS.Platform = process.platform,
): string | null {
  const under = (base: string | undefined) => (base !== undefined && path.isAbsolute(base) ? base : null);
  const home = under(env.HOME) ?? homeOfUser();
  const inHome = (...names: string[]) => home && path.join(home, ...names);
  if (platform === 'win32') return under(env.LOCALAPPDATA) ?? inHome('AppData', 'Local');
  if (platform === 'darwin') return inHome('Library', 'Caches');
  return under(env.XDG_CACHE_HOME) ?? inHome('.cache');
}

function homeOfUser(): string | null {
  try {
    return os.homedir() || null;
  } catch {
    return null;
  }
}
