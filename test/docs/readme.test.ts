/**
 * Runs the commands of the READMEs and tutorials. Each line of a code block marked `sh` runs from the root, in order, without standard
 * input, and must succeed. `npm ci` and `npm test` are removed from the lines, because `.ci/run` runs them, and this test is a part of
 * `npm test`. A block marked `ts` on any page is compiled. Other blocks (`text`) do not run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { codeBlocks, pages, read, readmes, root } from './markdown.ts';

const built = existsSync(`${root}/dist/cli/main.js`);
const ready = built && existsSync(`${root}/models/demo/config.json`);
const doneByCi = ['npm ci', 'npm test'];

/** The command lines, without comments. */
function commands(page: string): string[] {
  return codeBlocks(page, 'sh')
    .flatMap((block) => block.split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** The rest of a line that must run; empty if nothing remains. */
function withoutCi(line: string): string {
  return line
    .split(' && ')
    .filter((part) => !doneByCi.includes(part))
    .join(' && ');
}

const lines = [...new Set(readmes.flatMap(commands).map(withoutCi))].filter((line) => line !== '');

describe('commands of the READMEs', () => {
  it('are the same in both languages', () => {
    expect(commands('README_zh.md')).toEqual(commands('README.md'));
  });

  it('begin with the installation and tests of .ci/run', () => {
    const script = read('.ci/run').split('\n');
    for (const command of doneByCi) {
      expect(commands('README.md').some((line) => line.split(' && ').includes(command))).toBe(true);
      expect(script.some((line) => line.startsWith(command))).toBe(true);
    }
  });

  it.skipIf(!ready).each(lines)('runs (skipped without models/demo and dist/): %s', (line) => {
    const run = spawnSync('bash', ['-euo', 'pipefail', '-c', line], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(run.status, run.stderr).toBe(0);
  });
});

const tutorials = pages.filter((page) => page.startsWith('docs/tutorials/'));

describe('tutorials', () => {
  it('exist in English and Chinese, with the same parts', () => {
    const english = tutorials.filter((page) => !page.endsWith('_zh.md'));
    expect(english.length).toBe(4);
    const shape = (page: string) => read(page).match(/^#+ |^```\w*$|^\|/gm);
    for (const page of english) expect(shape(page.replace('.md', '_zh.md')), page).toEqual(shape(page));
  });

  it.skipIf(!ready).each(tutorials)('run as written (skipped without models/demo and dist/): %s', (page) => {
    // In a temporary folder, so that the files of a tutorial do not remain in the project.
    const folder = mkdtempSync(path.join(tmpdir(), 'tutorial-'));
    try {
      mkdirSync(`${folder}/node_modules/.bin`, { recursive: true });
      symlinkSync(`${root}/dist/cli/main.js`, `${folder}/node_modules/.bin/cogvlm2`);
      symlinkSync(`${root}/examples`, `${folder}/examples`);
      symlinkSync(`${root}/dist`, `${folder}/dist`);
      const script = codeBlocks(page, 'sh').join('\n');
      const run = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
        cwd: folder,
        encoding: 'utf8',
        timeout: 120_000,
      });
      expect(run.status, run.stderr).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

const withTypeScript = pages.filter((page) => codeBlocks(page, 'ts').length > 0);

describe('TypeScript of the pages', () => {
  it.skipIf(!built).each(withTypeScript)('compiles (skipped without dist/): %s', (page) => {
    const snippets = codeBlocks(page, 'ts');
    const { config } = ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const files = new Map(
      snippets.map((code, i) => [path.join(root, `examples/${path.basename(page)}.${i}.ts`), code]),
    );
    const host = ts.createCompilerHost(options);
    const { fileExists, readFile } = host;
    host.fileExists = (file) => files.has(file) || fileExists(file);
    host.readFile = (file) => files.get(file) ?? readFile(file);
    const program = ts.createProgram([...files.keys()], options, host);
    const found = ts.getPreEmitDiagnostics(program);
    expect(ts.formatDiagnostics(found, host)).toBe('');
  });
});

describe('the READMEs', () => {
  it('have the same parts in both languages', () => {
    const shape = (page: string) => read(page).match(/^#+ |^```\w*$|^\|/gm);
    expect(shape('README_zh.md')).toEqual(shape('README.md'));
  });
});
