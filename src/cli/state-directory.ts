/** Where cogvlm2 keeps what it remembers between runs (the XDG base directory rule). */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Terminal } from './terminal.ts';

export function stateDirectory(env: Terminal['env']): string {
  const xdg = env.XDG_STATE_HOME;
  const base = xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.local', 'state');
  return join(base, 'cogvlm2');
}
