import { existsSync, readFileSync } from 'node:fs';
import koffi from 'koffi';
import { expect, test } from 'vitest';
import { advise } from '../../src/ggml/mapped-file.ts';

/** The kernel's flags of the mapping with this address (`proc_pid_smaps(5)`). */
function flagsAt(address: bigint): string[] {
  let inside = false;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    const [, first, end] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line) ?? [];
    if (first && end) inside = address >= BigInt(`0x${first}`) && address < BigInt(`0x${end}`);
    if (inside && line.startsWith('VmFlags:')) return line.split(/\s+/).slice(1);
  }
  return [];
}

test.skipIf(!existsSync('/sys/kernel/mm/transparent_hugepage'))(
  'only pages that are completely inside the range are marked for huge pages',
  () => {
    const bytes = Buffer.alloc(64 * 2 ** 20);
    const address = BigInt(koffi.address(bytes));
    advise(address + 1n, bytes.length - 1, 'hugePages');
    expect(flagsAt(address + BigInt(bytes.length / 2))).toContain('hg');
    expect(flagsAt(address - 1n)).not.toContain('hg');
    // Less than a page: no page is marked.
    expect(() => advise(address + 1n, 10, 'dontNeed')).not.toThrow();
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  },
);
