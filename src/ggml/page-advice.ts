import type koffi from 'koffi';
import type { Pointer } from './declarations.ts';
import { systemLibrary } from './system-library.ts';

/** `madvise`'s numbers. */
const advices = { dontNeed: 4, hugePages: 14 } as const;

let madvise: ReturnType<ReturnType<typeof koffi.load>['func']> | undefined;

/**
 * Tells the system about the pages that lie wholly within these bytes: that they may leave the process's memory
 * (`dontNeed`: those of a file come back when they are touched), or that few large pages serve better than many
 * small ones (`hugePages`, Linux only). Does nothing on Windows.
 */
export function advise(address: Pointer, sizeBytes: number, advice: keyof typeof advices): void {
  if (process.platform === 'win32' || (advice === 'hugePages' && process.platform !== 'linux')) return;
  madvise ??= systemLibrary().func('int madvise(void *address, size_t length, int advice)');
  const pageBytes = 65_536n; // The largest page of these systems: 64 KiB on some Linux arm64 kernels.
  const first = ((address + pageBytes - 1n) / pageBytes) * pageBytes;
  const end = ((address + BigInt(sizeBytes)) / pageBytes) * pageBytes;
  if (end > first) madvise(first, Number(end - first), advices[advice]);
}
