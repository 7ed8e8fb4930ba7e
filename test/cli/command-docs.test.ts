import { expect, it } from 'vitest';
import { flagsOf } from '../../src/cli/flags.ts';
import { commands } from '../../src/cli/program.ts';
import { renderReference } from './command-docs.ts';

it('docs/cli.md equals the definitions (write it again with -u)', async () => {
  await expect(renderReference()).toMatchFileSnapshot('../../docs/cli.md');
});

it('a flag of several commands has one meaning', () => {
  const seen = new Map<string, string>();
  for (const { options } of commands) {
    for (const { name, about, env } of flagsOf(options)) {
      expect(seen.get(name) ?? about).toBe(about);
      seen.set(name, about);
      expect(env).toMatch(/^COGVLM2_[A-Z_]+$/);
    }
  }
});
