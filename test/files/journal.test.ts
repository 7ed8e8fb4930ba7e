import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Journal } from '../../src/files/journal.ts';

const fault = vi.hoisted((): { bytes: number | undefined } => ({ bytes: undefined }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const writeSync = (descriptor: number, bytes: Uint8Array, at: number) => {
    if (fault.bytes === undefined) return real.writeSync(descriptor, bytes, at);
    if (at > 0) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    return real.writeSync(descriptor, bytes, at, fault.bytes);
  };
  return { ...real, writeSync };
});

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'journal-'));
  file = path.join(folder, 'out.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

function linesOf(): unknown[] {
  const lines: unknown[] = [];
  using _ = new Journal(file, (value) => lines.push(value));
  return lines;
}

describe('a journal', () => {
  it('has its lines when it is opened again', () => {
    {
      using journal = new Journal(file);
      journal.append({ a: 'ä\n' });
      journal.append([2]);
    }
    expect(linesOf()).toEqual([{ a: 'ä\n' }, [2]]);
    expect(readFileSync(file, 'utf8')).toBe('{"a":"ä\\n"}\n[2]\n');
  });

  it('removes an incomplete line, and continues after the last whole line', () => {
    writeFileSync(file, '{"a":1}\n{"a":2');
    {
      using journal = new Journal(file);
      journal.append({ a: 3 });
    }
    expect(readFileSync(file, 'utf8')).toBe('{"a":1}\n{"a":3}\n');
  });

  it('reads lines that are longer than its buffer', () => {
    const long = 'é'.repeat(1_500_000);
    writeFileSync(file, `[1]\n${JSON.stringify(long)}\n[3]\n`);
    expect(linesOf()).toEqual([[1], long, [3]]);
  });

  it('reports a line that is not JSON, and changes nothing', () => {
    writeFileSync(file, '[1]\noops\n[3]\nhalf');
    expect(linesOf).toThrow(/^Line 2 of .*out\.jsonl is not JSON/);
    expect(readFileSync(file, 'utf8')).toBe('[1]\noops\n[3]\nhalf');
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  it('is locked by one process; after its death another process gets the lock', async () => {
    const journalModule = new URL('../../src/files/journal.ts', import.meta.url).href;
    const program = `import { Journal } from ${JSON.stringify(journalModule)};
      new Journal(${JSON.stringify(file)}); console.log('open'); setInterval(() => {}, 1e6);`;
    const other = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]);
    await new Promise((resolve) => other.stdout.once('data', resolve));
    expect(linesOf).toThrow(`Process ${other.pid} is writing ${file}`);
    const gone = new Promise((resolve) => other.on('close', resolve));
    other.kill('SIGKILL');
    await gone;
    expect(linesOf()).toEqual([]);
  });

  it('gets the lock of an earlier process with the same id, as in a container', () => {
    writeFileSync(`${file}.lock`, String(process.pid));
    expect(linesOf()).toEqual([]);
    using _ = new Journal(file);
    expect(linesOf).toThrow(/is writing/);
  });

  it('reports why it cannot be written', () => {
    expect(() => new Journal(path.join(folder, 'none', 'out.jsonl'))).toThrow(/there is no such folder/);
  });

  it.skipIf(!existsSync('/dev/full'))('refuses a file that is not regular', () => {
    symlinkSync('/dev/full', file);
    expect(() => new Journal(file)).toThrow(/is not a regular file/);
  });

  it('removes a line that did not fit on the disk', () => {
    using journal = new Journal(file);
    journal.append('first');
    fault.bytes = 4;
    expect(() => journal.append('second')).toThrow(/no space is left on the disk; the lines written so far/);
    fault.bytes = undefined;
    journal.append('third');
    expect(readFileSync(file, 'utf8')).toBe('"first"\n"third"\n');
  });
});
