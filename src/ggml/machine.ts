/**
 * Memory and processors that this process may use, within the limits of its container. Linux stores these limits in control
 * groups (cgroups), version 1 or 2. A limit applies to a group and to everything below it.
 */
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Bytes that can be allocated now. Pages of files count as free, since the kernel can drop them. */
export function availableMemoryBytes(root = '/'): number {
  return memoryGroups(root).reduce(
    (free, { limit, used }) => Math.min(free, Math.max(0, limit - used)),
    os.freemem(),
  );
}

/** Bytes of memory of the machine, or of the container. */
export function totalMemoryBytes(root = '/'): number {
  return memoryGroups(root).reduce((total, { limit }) => Math.min(total, limit), os.totalmem());
}

/** Threads that can run at the same time. A quota of 2.5 processors is 2: a third thread would be throttled. */
export function availableThreads(root = '/'): number {
  return Math.max(1, Math.floor(Math.min(os.availableParallelism(), cpuQuota(root))));
}

/** Processors that the control groups grant; infinite without a quota. */
export function cpuQuota(root = '/'): number {
  const quotas = groupFolders('cpu', root).map(({ folder, version }) => {
    const [quota, period] =
      version === 2
        ? (readText(folder, 'cpu.max')?.split(' ').map(Number) ?? [])
        : [readNumber(folder, 'cpu.cfs_quota_us'), readNumber(folder, 'cpu.cfs_period_us')];
    return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : Infinity;
  });
  return Math.min(Infinity, ...quotas);
}

function memoryGroups(root: string): { limit: number; used: number }[] {
  return groupFolders('memory', root).map(({ folder, version }) => {
    const stat = readText(folder, 'memory.stat') ?? '';
    const pages = (name: string) =>
      Number(new RegExp(`^${version === 2 ? '' : 'total_'}${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
    const files = pages('active_file') + pages('inactive_file');
    const usage = readNumber(folder, version === 2 ? 'memory.current' : 'memory.usage_in_bytes') ?? 0;
    // Without a limit, version 2 says "max", and version 1 a number larger than any memory.
    const limits =
      version === 2
        ? [readNumber(folder, 'memory.max'), readNumber(folder, 'memory.high')]
        : [readNumber(folder, 'memory.limit_in_bytes')];
    const limit = Math.min(...limits.map((value) => value ?? Infinity));
    return { limit, used: Math.max(0, usage - files) };
  });
}

/** The group of this process and all groups above it, as folders. */
function groupFolders(controller: 'cpu' | 'memory', root: string): { folder: string; version: 1 | 2 }[] {
  const found: { folder: string; version: 1 | 2 }[] = [];
  const mounts = path.join(root, 'sys/fs/cgroup');
  for (const line of readText(root, 'proc/self/cgroup')?.split('\n') ?? []) {
    const [, id, controllers = '', group = '/'] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    const version = id === '0' && controllers === '' ? 2 : 1;
    if (version === 1 && !controllers.split(',').includes(controller)) continue;
    const names = version === 2 ? ['', 'unified'] : [controllers, controller];
    const mount = names
      .map((name) => path.join(mounts, name))
      .find((folder) => existsSync(version === 2 ? path.join(folder, 'cgroup.controllers') : folder));
    if (mount === undefined) continue;
    // In a container, the path may be that of the host and missing here; then the mount is the group.
    for (
      let folder = path.join(mount, path.posix.join('/', group));
      folder.startsWith(mount);
      folder = path.dirname(folder)
    ) {
      if (existsSync(folder)) found.push({ folder, version });
    }
  }
  return found;
}

function readNumber(folder: string, name: string): number | undefined {
  const number = Number(readText(folder, name) || Number.NaN);
  return Number.isFinite(number) ? number : undefined;
}

function readText(folder: string, name: string): string | undefined {
  try {
    return readFileSync(path.join(folder, name), 'utf8').trim();
  } catch {
    return undefined;
  }
}
