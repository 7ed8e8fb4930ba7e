/** Limits of containers, with copies of the files of Linux. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  availableMemoryBytes,
  availableThreads,
  cpuQuota,
  totalMemoryBytes,
} from '../../src/ggml/machine.ts';

const MiB = 2 ** 20;
let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function files(tree: Record<string, string>): void {
  for (const [name, text] of Object.entries(tree)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), `${text}\n`);
  }
}

const none = '9223372036854771712';

describe('memory', () => {
  it('is that of the machine without control groups', () => {
    expect(totalMemoryBytes(root)).toBe(os.totalmem());
    expect(availableMemoryBytes(root)).toBeGreaterThan(0);
  });

  it('is the free memory of a version 2 group, with cached files counted as free', () => {
    files({
      'proc/self/cgroup': '0::/',
      'sys/fs/cgroup/cgroup.controllers': 'cpu memory',
      'sys/fs/cgroup/memory.max': String(80 * MiB),
      'sys/fs/cgroup/memory.high': 'max',
      'sys/fs/cgroup/memory.current': String(70 * MiB),
      'sys/fs/cgroup/memory.stat': `anon ${20 * MiB}\nactive_file ${30 * MiB}\ninactive_file ${20 * MiB}`,
    });
    expect(totalMemoryBytes(root)).toBe(80 * MiB);
    expect(availableMemoryBytes(root)).toBe(60 * MiB);
  });

  it('is limited by parent groups', () => {
    files({
      'proc/self/cgroup': '0::/pod/app',
      'sys/fs/cgroup/cgroup.controllers': 'cpu memory',
      'sys/fs/cgroup/pod/memory.max': String(100 * MiB),
      'sys/fs/cgroup/pod/memory.current': String(90 * MiB),
      'sys/fs/cgroup/pod/app/memory.max': 'max',
      'sys/fs/cgroup/pod/app/memory.current': String(1 * MiB),
    });
    expect(availableMemoryBytes(root)).toBe(10 * MiB);
  });

  it('is the free memory of a version 1 group, also if the path is that of the host', () => {
    files({
      'proc/self/cgroup': '9:name=systemd:/\n4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': String(80 * MiB),
      'sys/fs/cgroup/memory/memory.usage_in_bytes': String(90 * MiB),
      'sys/fs/cgroup/memory/memory.stat': `total_active_file ${5 * MiB}\ntotal_inactive_file ${5 * MiB}`,
    });
    expect(totalMemoryBytes(root)).toBe(80 * MiB);
    expect(availableMemoryBytes(root)).toBe(0);
  });

  it('has no limit if the number of version 1 is above all memory', () => {
    files({
      'proc/self/cgroup': '4:memory:/',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': none,
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '1000',
    });
    expect(totalMemoryBytes(root)).toBe(os.totalmem());
  });
});

describe('processors', () => {
  it.each([
    ['max 100000', Infinity],
    ['150000 100000', 1.5],
    ['50000 100000', 0.5],
  ])('cpu.max %s', (text, quota) => {
    files({
      'proc/self/cgroup': '0::/',
      'sys/fs/cgroup/cgroup.controllers': 'cpu',
      'sys/fs/cgroup/cpu.max': text,
    });
    expect(cpuQuota(root)).toBe(quota);
    expect(availableThreads(root)).toBe(quota === Infinity ? os.availableParallelism() : 1);
  });

  it.each([
    ['-1', Infinity],
    ['100000', 1],
  ])('cpu.cfs_quota_us %s', (text, quota) => {
    files({
      'proc/self/cgroup': '1:cpu,cpuacct:/',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': text,
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
    });
    expect(cpuQuota(root)).toBe(quota);
  });
});
