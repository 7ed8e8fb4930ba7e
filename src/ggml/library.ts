import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import koffi from 'koffi';
import { CogVLM2Error } from '../errors.ts';
import { type FunctionName, type Pointer, signatures } from './declarations.ts';
import { dtypeNames, dtypes } from './dtype.ts';

/** Arguments of native functions: numbers, text, handles, our memory, and the structs of declarations.ts. */
export type NativeValue =
  | number
  | bigint
  | boolean
  | string
  | null
  | ArrayBufferView
  | readonly Pointer[]
  | number[]
  | Record<string, unknown>;

/**
 * The loaded ggml library. The call forms differ in their result type, so that no untyped value leaves this file.
 */
export interface Ggml {
  readonly directory: string;
  readonly version: string;
  readonly commit: string;
  run(name: FunctionName, ...args: NativeValue[]): void;
  /** For functions that return a handle. Throws `out_of_memory` when it is NULL. */
  pointer(name: FunctionName, ...args: NativeValue[]): Pointer;
  /** For numbers and booleans (0 or 1). */
  number(name: FunctionName, ...args: NativeValue[]): number;
  text(name: FunctionName, ...args: NativeValue[]): string;
  /** Runs on a thread of libuv's pool, so that the event loop stays free. Resolves with the number returned. */
  numberAsync(name: FunctionName, ...args: NativeValue[]): Promise<number>;
  /** The address of a function of the base library, for native code that calls it. */
  symbol(name: string): Pointer;
  /** The same for functions that return nothing. */
  runAsync(name: FunctionName, ...args: NativeValue[]): Promise<void>;
}

type KoffiFunction = ReturnType<ReturnType<typeof koffi.load>['func']>;

const pinnedVersion = '0.23.0';
const packageVersion = '3.21.1';
let loaded: Ggml | undefined;

/**
 * Loads ggml once per process; must be called from one thread only (koffi crashes when two threads load the same
 * library). `COGVLM2_GGML_DIR` names a folder with another build of the same version.
 * @throws CogVLM2Error `engine_unavailable` with one sentence when there is no library for this machine.
 */
export function ggml(): Ggml {
  loaded ??= load(libraryDirectory());
  return loaded;
}

export interface LibraryInfo {
  directory: string;
  version: string;
  commit: string;
  /** Packages that carry the same ggml with support for GPUs, for this system. */
  extras: string[];
}

export function libraryInfo(): LibraryInfo {
  const { directory, version, commit } = ggml();
  const extras = (packages()?.gpu ?? []).map((name) => `@node-llama-cpp/${name}@${packageVersion}`);
  return { directory, version, commit, extras };
}

function load(directory: string): Ggml {
  const functions = new Map<string, KoffiFunction>();
  let base: ReturnType<typeof koffi.load>;
  try {
    // The device registry links against the base library, which must therefore be in the process first.
    base = koffi.load(libraryFile(directory, 'ggml-base'));
    const registry = koffi.load(libraryFile(directory, 'ggml'));
    for (const [name, signature] of Object.entries(signatures.base))
      functions.set(name, base.func(signature));
    for (const [name, signature] of Object.entries(signatures.registry)) {
      functions.set(name, registry.func(signature));
    }
    // A native no-op as the logger: a JavaScript callback may not be called from ggml's worker threads.
    const silence = koffi.address(base.symbol('ggml_time_init'));
    functions.get('ggml_log_set')?.(silence, null);
  } catch (cause) {
    if (cause instanceof CogVLM2Error) throw cause;
    throw new CogVLM2Error(
      'engine_unavailable',
      `The ggml libraries in ${directory} do not load: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause },
    );
  }
  const call = (name: FunctionName): KoffiFunction => {
    const found = functions.get(name);
    if (!found) throw new CogVLM2Error('engine_bug', `${name} is not declared.`);
    return found;
  };
  const callAsync = (name: FunctionName, args: NativeValue[]) =>
    new Promise<unknown>((resolve, reject) => {
      call(name).async(...args, (error: unknown, value: unknown) => (error ? reject(error) : resolve(value)));
    });
  const lib: Ggml = {
    directory,
    version: call('ggml_version')(),
    commit: call('ggml_commit')(),
    run: (name, ...args) => void call(name)(...args),
    pointer: (name, ...args) => {
      const value: unknown = call(name)(...args);
      if (typeof value === 'bigint' && value !== 0n) return value;
      throw new CogVLM2Error('out_of_memory', `${name} returned NULL: not enough memory.`);
    },
    number: (name, ...args) => Number(call(name)(...args)),
    text: (name, ...args) => String(call(name)(...args)),
    numberAsync: async (name, ...args) => Number(await callAsync(name, args)),
    symbol: (name) => koffi.address(base.symbol(name)),
    runAsync: async (name, ...args) => void (await callAsync(name, args)),
  };
  checkVersion(lib);
  lib.run('ggml_backend_load_all_from_path', directory);
  if (lib.number('ggml_backend_dev_count') === 0) {
    throw new CogVLM2Error(
      'engine_unavailable',
      `The ggml libraries in ${directory} have none for this processor (${process.arch}).`,
    );
  }
  return lib;
}

/** Type numbers and struct layouts differ between releases of ggml, so only the pinned version is accepted. */
function checkVersion(lib: Ggml): void {
  const shifted = dtypeNames.find(
    (name) =>
      lib.number('ggml_type_size', dtypes[name].id) !== dtypes[name].bytes ||
      lib.number('ggml_blck_size', dtypes[name].id) !== dtypes[name].block,
  );
  if (lib.version !== pinnedVersion || shifted) {
    throw new CogVLM2Error(
      'engine_unavailable',
      `The ggml in ${lib.directory} is version ${lib.version}; this release needs ${pinnedVersion} exactly. Unset COGVLM2_GGML_DIR or point it at a build of that version.`,
    );
  }
}

interface Packages {
  /** The package that `npm ci` installs. */
  base: string;
  /** Packages with GPU support, in order of preference. */
  gpu: readonly string[];
}

/** The packages that exist for each platform in `packageVersion`. On Apple silicon the base package has Metal. */
const packagesByPlatform: Readonly<Record<string, Packages>> = {
  'linux-x64': { base: 'linux-x64', gpu: ['linux-x64-cuda', 'linux-x64-vulkan'] },
  'linux-arm64': { base: 'linux-arm64', gpu: [] },
  'win32-x64': { base: 'win-x64', gpu: ['win-x64-cuda', 'win-x64-vulkan'] },
  'win32-arm64': { base: 'win-arm64', gpu: [] },
  'darwin-arm64': { base: 'mac-arm64-metal', gpu: [] },
  'darwin-x64': { base: 'mac-x64', gpu: [] },
};

function packages(): Packages | undefined {
  return packagesByPlatform[`${process.platform}-${process.arch}`];
}

function libraryDirectory(): string {
  const override = process.env.COGVLM2_GGML_DIR;
  if (override) return path.resolve(override);
  const here = packages();
  const require = createRequire(import.meta.url);
  for (const name of here ? [...here.gpu, here.base] : []) {
    try {
      const entry = require.resolve(`@node-llama-cpp/${name}`);
      const directory = path.join(path.dirname(entry), '..', 'bins', name);
      if (existsSync(directory)) return directory;
    } catch {
      // This package is not installed. Try the next one.
    }
  }
  throw new CogVLM2Error('engine_unavailable', noLibraryMessage(here));
}

function noLibraryMessage(here: Packages | undefined): string {
  const own = `set COGVLM2_GGML_DIR to a folder with ggml ${pinnedVersion} built as shared libraries`;
  if (isMusl()) {
    return `This Linux uses musl (Alpine), and the ggml libraries need glibc. Use an image with glibc, such as node:22-slim, or ${own}.`;
  }
  const machine = `${process.platform} ${process.arch}`;
  if (!here) return `There is no prebuilt ggml library for ${machine}. To use your own build, ${own}.`;
  return `The ggml library for ${machine} is not installed. Run "npm install @node-llama-cpp/${here.base}@${packageVersion}", or ${own}.`;
}

/** Node's report names the glibc version; on musl it names none. */
function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report: unknown = process.report.getReport();
  const header =
    typeof report === 'object' && report !== null && 'header' in report ? report.header : undefined;
  return typeof header === 'object' && header !== null && !('glibcVersionRuntime' in header);
}

/** Packages add a version to some names (`libggml.v0.5.0.so`), own builds do not (`libggml.so`). */
function libraryFile(directory: string, name: string): string {
  const pattern = new RegExp(`^(lib)?${name}(\\.(cuda|vulkan|metal))?(\\.v[0-9.]+)?\\.(so|dylib|dll)$`);
  const file = existsSync(directory)
    ? readdirSync(directory).find((entry) => pattern.test(entry))
    : undefined;
  if (file) return path.join(directory, file);
  throw new CogVLM2Error('engine_unavailable', `There is no ${name} library in ${directory}.`);
}
