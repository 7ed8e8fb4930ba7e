/** Every program in examples/ is short, and runs from the root with the demo model. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const programs = readdirSync(`${root}/examples`).filter((name) => name.endsWith('.ts'));
/** The examples import `cogvlm2` like a user's program, and get the built package with the demo model. */
const ready = existsSync(`${root}/dist/index.js`) && existsSync(`${root}/models/demo/config.json`);

/** The expected standard output: texts of the images. */
const printed: Record<string, RegExp> = {
  'ask.ts': /^\$10\.50\n$/,
  'stream.ts': /^CAFE LINDEN\n$/,
  'several-questions.ts':
    /^What is the order\? DN-4821\nWhat is the date\? 2024-10-03\nHow many chairs\? 4\n$/,
  'conversation.ts': /^> How much is the Croissant\?\n2\.60\n> What is the total\?\n\$10\.50\n$/,
  'form-to-json.ts':
    /^\{\n {2}"team": "FIRE",\n {2}"weight": 623,\n {2}"school": "EGG",\n {2}"date": "2024-10-19",\n {2}"order": "EWR-5153"\n\}\n$/,
  'ai-sdk.ts': /^\$10\.50\nCAFE LINDEN\n$/,
};

describe('examples', () => {
  it.each(programs)('%s is at most 30 lines and says how to run it', (name) => {
    const lines = readFileSync(`${root}/examples/${name}`, 'utf8').trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(30);
    expect(lines[0]).toMatch(/^\/\*\* .+ \*\/$/);
    expect(lines[0]).toContain(`npx tsx examples/${name}`);
  });

  it.each(programs)('%s has an expected output in this file', (name) => {
    expect(Object.keys(printed)).toContain(name);
  });
});

describe.skipIf(!ready)('examples with models/demo (skipped without it or dist/)', () => {
  it.each(programs)('%s runs', (name) => {
    const tsx = `${root}/node_modules/tsx/dist/cli.mjs`;
    const run = spawnSync(process.execPath, [tsx, `examples/${name}`], { cwd: root, encoding: 'utf8' });
    expect(run.status, run.stderr).toBe(0);
    expect(run.stdout).toMatch(printed[name] ?? /^$/);
  });
});
