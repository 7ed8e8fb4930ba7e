/** Facts about the installed package itself. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Two folders up, from src/cli and from dist/cli alike. */
const root = new URL('../../', import.meta.url);

export function packageVersion(): string {
  const text = readFileSync(new URL('package.json', root), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export function packageDirectory(): string {
  return fileURLToPath(root);
}
