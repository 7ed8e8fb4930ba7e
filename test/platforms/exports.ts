/**
 * Checks that the libraries of every platform export all ggml functions that this project declares. It downloads the pinned packages
 * and reads their export tables, but runs nothing. Needs llvm-nm and llvm-readobj (Debian: llvm).
 *
 *   npx tsx test/platforms/exports.ts
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { signatures } from '../../src/ggml/declarations.ts';

const project = path.resolve(import.meta.dirname, '..', '..');
const manifest: { optionalDependencies: Record<string, string> } = JSON.parse(
  readFileSync(path.join(project, 'package.json'), 'utf8'),
);
const packages = Object.entries(manifest.optionalDependencies).filter(([name]) =>
  name.startsWith('@node-llama-cpp/'),
);

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-exports-'));
let missing = 0;
for (const [name, version] of packages) {
  run('npm', ['pack', '--silent', `${name}@${version}`]);
  const tarball = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
  run('tar', ['xzf', tarball]);
  const platform = name.slice(name.indexOf('/') + 1);
  const bins = path.join(folder, 'package', 'bins', platform);
  for (const [library, declared] of Object.entries(signatures)) {
    const pattern = library === 'base' ? /^(lib)?ggml-base\./ : /^(lib)?ggml\.((metal|cuda|vulkan)\.)?v/;
    const file = readdirSync(bins).find((entry) => pattern.test(entry));
    if (!file) throw new Error(`${platform} has no library for ${library}.`);
    const exported = exportsOf(path.join(bins, file));
    const lost = Object.keys(declared).filter((symbol) => !exported.has(symbol));
    missing += lost.length;
    const names = lost.length > 0 ? `: missing ${lost.join(', ')}` : '';
    console.log(
      `${platform} ${file}: ${Object.keys(declared).length - lost.length} of ${Object.keys(declared).length} functions${names}`,
    );
  }
  rmSync(path.join(folder, 'package'), { recursive: true });
}
rmSync(folder, { recursive: true });
process.exit(missing === 0 ? 0 : 1);

function exportsOf(file: string): Set<string> {
  if (file.endsWith('.dll')) {
    const names = run('llvm-readobj', ['--coff-exports', file]).matchAll(/^ +Name: (\S+)$/gm);
    return new Set(Array.from(names, ([, symbol]) => symbol ?? ''));
  }
  // Mach-O symbols begin with an underscore. ELF has them in the dynamic table.
  const isMac = file.endsWith('.dylib');
  const lines = run('llvm-nm', isMac ? ['-gU', file] : ['-D', '--defined-only', file]).split('\n');
  return new Set(
    lines.map(
      (line) =>
        line
          .split(' ')
          .at(-1)
          ?.replace(isMac ? /^_/ : /^$/, '') ?? '',
    ),
  );
}

function run(command: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
}
