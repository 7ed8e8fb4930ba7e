/** The package in another project: types, source maps, and CommonJS. Needs dist/. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

describe.skipIf(!existsSync(`${root}/dist/index.js`))('the package (skipped without dist/)', () => {
  it('compiles in a strict project that checks the types of libraries', () => {
    const name = path.join(root, 'examples/consumer.ts');
    const source = `import { CogVLM2 } from 'cogvlm2';
      import { cogvlm2 } from 'cogvlm2/ai-sdk';
      export const answer: Promise<string> = CogVLM2.load().then((model) => model.ask('a.png', 'b').result()).then(({ text }) => text);
      export const sdk = cogvlm2;`;
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      types: [],
    };
    const host = ts.createCompilerHost(options);
    const { fileExists, readFile } = host;
    host.fileExists = (file) => file === name || fileExists(file);
    host.readFile = (file) => (file === name ? source : readFile(file));
    const found = ts.getPreEmitDiagnostics(ts.createProgram([name], options, host));
    expect(ts.formatDiagnostics(found, host)).toBe('');
  }, 180_000);

  it('has source maps with their sources', () => {
    const map: { sourcesContent?: string[] } = JSON.parse(readFileSync(`${root}/dist/index.js.map`, 'utf8'));
    expect(map.sourcesContent?.[0]).toContain('CogVLM2');
  });

  it('loads from CommonJS with import()', () => {
    const script = "import('cogvlm2').then(({ CogVLM2 }) => console.log(typeof CogVLM2.load))";
    const run = spawnSync(process.execPath, ['--input-type=commonjs', '-e', script], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(run.stdout).toBe('function\n');
  });
});
