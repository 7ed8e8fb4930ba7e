/**
 * `npm run kernels`: compiles the C files of this folder for each instruction set and system into `prebuilt/`. The compiler is
 * zig, which is a Python package. The same sources give the same bytes on every machine.
 *
 *     npm run kernels                  builds the libraries of all systems
 *     npm run kernels -- --check       writes nothing; fails if a committed library has other bytes
 *     npm run kernels -- --out DIR --flags="-g -fsanitize=undefined"    builds for this system only, into another folder
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../files/temporary-folder.ts';
import {
  busErrorLibraries,
  compilerTargets,
  type Platform,
  platformHere,
  platforms,
  variants,
} from './variants.ts';

const zigVersion = '0.15.2';
const here = fileURLToPath(new URL('./', import.meta.url));
const sources = path.join(here, 'c');
const prebuilt = path.join(here, 'prebuilt');
/** This file is compiled once. All other files are compiled for each instruction set. */
const common = 'cpu.c';
const compilerFlags = '-O3 -std=c11 -Wall -Wextra -Werror -fno-sanitize=all -fvisibility=hidden -fPIC -g0';

const { values: options } = parseArgs({
  options: { check: { type: 'boolean' }, out: { type: 'string' }, flags: { type: 'string' } },
});
const extraFlags = options.flags?.split(' ').filter(Boolean) ?? [];

function zig(cwd: string, ...args: string[]): string {
  return execFileSync('python3', ['-m', 'ziglang', ...args], { encoding: 'utf8', cwd });
}

function checkVersion(): void {
  let version = 'not installed';
  try {
    version = execFileSync('python3', ['-m', 'ziglang', 'version'], {
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
  } catch {
    // The error below contains the remedy.
  }
  if (version === zigVersion) return;
  console.error(
    `The kernels are built with zig ${zigVersion} (here: ${version}): pip install ziglang==${zigVersion}`,
  );
  process.exit(2);
}

/** Builds the library of one system in `folder`. @returns the file's path */
function buildLibrary(platform: Platform, folder: string): string {
  const { file, target } = platforms[platform];
  const compile = (source: string, object: string, ...more: string[]) => {
    const flags = [...compilerFlags.split(' '), ...extraFlags, ...more];
    zig(sources, 'cc', '-target', target, ...flags, '-c', source, '-o', path.join(folder, object));
    return object;
  };
  const kernels = readdirSync(sources).filter((name) => name.endsWith('.c') && name !== common);
  const objects = [compile(common, 'cpu.o', '-mcpu=x86_64')];
  for (const variant of variants) {
    const flags = [`-mcpu=${compilerTargets[variant]}`, `-DVARIANT=${variant}`];
    for (const source of kernels.sort())
      objects.push(compile(source, `${path.parse(source).name}-${variant}.o`, ...flags));
  }
  const strip = extraFlags.length === 0 ? ['-s'] : extraFlags;
  // File names without a folder, because the library must not depend on the folder of the build.
  zig(folder, 'cc', '-target', target, '-shared', ...strip, '-o', file, ...objects);
  const library = path.join(folder, file);
  if (platform === 'win32-x64') clearBuildTime(library);
  return library;
}

/** Sets the time stamp in a DLL's header to zero, because zig always writes one. The offset of the PE header is at byte 60. */
function clearBuildTime(dll: string): void {
  const bytes = readFileSync(dll);
  bytes.writeUInt32LE(0, bytes.readUInt32LE(60) + 8);
  writeFileSync(dll, bytes);
}

/** Builds the library of `system/bus-error.c` for one system in `folder`. @returns the file's path */
function buildBusErrorLibrary({ file, target }: { file: string; target: string }, folder: string): string {
  const source = path.join('system', 'bus-error.c');
  const flags = compilerFlags.replace('-O3', '-O2').split(' ');
  const library = path.join(folder, file);
  zig(here, 'cc', '-target', target, ...flags, '-shared', '-s', source, '-o', library);
  return library;
}

checkVersion();
const builds: { file: string; build: (folder: string) => string }[] = Object.entries(platforms)
  .filter(([name]) => !options.out || name === platformHere())
  .map(([name, { file }]) => ({
    file,
    build: (folder: string) => buildLibrary(name as Platform, folder),
  }));
if (!options.out) {
  for (const system of Object.values(busErrorLibraries))
    builds.push({ file: system.file, build: (folder) => buildBusErrorLibrary(system, folder) });
}
let differ = 0;
for (const { file, build } of builds) {
  await using folder = await temporaryFolder('kernels');
  const built = build(folder.path);
  const target = path.join(options.out ? path.resolve(options.out) : prebuilt, file);
  if (options.check) {
    const same = readFileSync(built).equals(readFileSync(target));
    console.log(`${file}: ${same ? 'the same bytes' : 'other bytes; run "npm run kernels"'}`);
    if (!same) differ++;
  } else {
    mkdirSync(path.dirname(target), { recursive: true });
    copyFileSync(built, target);
    console.log(`${path.relative(process.cwd(), target)}: ${readFileSync(target).length} bytes`);
  }
}
process.exit(differ > 0 ? 1 : 0);
