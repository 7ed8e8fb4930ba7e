import { closeSync, fstatSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { CogVLM2Error } from '../errors.ts';
import type { Pointer } from './declarations.ts';

/**
 * A file as read-only memory. The system reads pages when they are used and evicts them when memory is short, so weights never
 * pass through JavaScript.
 */
export class MappedFile {
  readonly path: string;
  readonly address: Pointer;
  readonly sizeBytes: number;
  readonly #mapping: Mapping;
  #mapped = true;

  /** @throws CogVLM2Error `file_not_found` when the file cannot be opened, `out_of_memory` when not mapped. */
  constructor(path: string) {
    this.path = path;
    let descriptor: number;
    try {
      descriptor = openSync(path, 'r');
    } catch (cause) {
      throw new CogVLM2Error('file_not_found', `${path} cannot be opened.`, { cause });
    }
    try {
      this.sizeBytes = fstatSync(descriptor).size;
      if (this.sizeBytes === 0) throw new CogVLM2Error('invalid_checkpoint', `${path} is empty.`);
      const mapped = process.platform === 'win32' ? mapWindows(path) : mapPosix(descriptor, this.sizeBytes);
      if (!mapped) {
        throw new CogVLM2Error(
          'out_of_memory',
          `${path} (${this.sizeBytes} bytes) cannot be mapped into memory.`,
        );
      }
      this.address = mapped.address;
      this.#mapping = mapped;
    } finally {
      closeSync(descriptor);
    }
  }

  /** Whether this address is in the file. */
  holds(address: Pointer): boolean {
    return address >= this.address && address < this.address + BigInt(this.sizeBytes);
  }

  /**
   * Evicts the pages that are completely within these bytes from the process's memory. The file cache of the system may keep them,
   * and a later use reads them again. Has no effect on Windows.
   */
  evictPages(address: Pointer, sizeBytes: number): void {
    if (this.#mapped) advise(address, sizeBytes, 'dontNeed');
  }

  [Symbol.dispose](): void {
    if (this.#mapped) this.#mapping.unmap();
    this.#mapped = false;
  }
}

interface Mapping {
  address: Pointer;
  unmap: () => void;
}

function mapPosix(descriptor: number, sizeBytes: number): Mapping | undefined {
  const libc = systemLibrary();
  const mmap = libc.func(
    'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
  );
  const munmap = libc.func('int munmap(void *address, size_t length)');
  const readOnly = 1;
  const shared = 1;
  const address: unknown = mmap(null, sizeBytes, readOnly, shared, descriptor, 0);
  // MAP_FAILED is (void *) -1.
  if (typeof address !== 'bigint' || address === 0n || BigInt.asIntN(64, address) === -1n) return undefined;
  return { address, unmap: () => void munmap(address, sizeBytes) };
}

function mapWindows(path: string): Mapping | undefined {
  const kernel = koffi.load('kernel32.dll');
  const createFile = kernel.func(
    'void *__stdcall CreateFileW(str16 name, uint32_t access, uint32_t share, void *security, uint32_t creation, uint32_t flags, void *template)',
  );
  const createMapping = kernel.func(
    'void *__stdcall CreateFileMappingW(void *file, void *security, uint32_t protection, uint32_t high, uint32_t low, void *name)',
  );
  const mapView = kernel.func(
    'void *__stdcall MapViewOfFile(void *mapping, uint32_t access, uint32_t high, uint32_t low, size_t length)',
  );
  const unmapView = kernel.func('int __stdcall UnmapViewOfFile(void *address)');
  const close = kernel.func('int __stdcall CloseHandle(void *handle)');
  const [genericRead, shareRead, openExisting, pageReadOnly, mapRead] = [0x8000_0000, 1, 3, 2, 4];
  const file: unknown = createFile(path, genericRead, shareRead, null, openExisting, 0, null);
  const mapping: unknown = createMapping(file, null, pageReadOnly, 0, 0, null);
  const address: unknown = mapping ? mapView(mapping, mapRead, 0, 0, 0) : null;
  // The view keeps the file open; the handles are no longer needed.
  if (mapping) close(mapping);
  close(file);
  if (typeof address !== 'bigint' || address === 0n) return undefined;
  return { address, unmap: () => void unmapView(address) };
}

/** `madvise`'s numbers. */
const advices = { dontNeed: 4, hugePages: 14 } as const;

let madvise: ReturnType<ReturnType<typeof koffi.load>['func']> | undefined;

/**
 * Advises the system about the pages that are completely within these bytes: they may be evicted (`dontNeed`; a later use reads
 * them from the file again), or large pages should be used (`hugePages`, Linux only). Has no effect on Windows.
 */
export function advise(address: Pointer, sizeBytes: number, advice: keyof typeof advices): void {
  if (process.platform === 'win32' || (advice === 'hugePages' && process.platform !== 'linux')) return;
  madvise ??= systemLibrary().func('int madvise(void *address, size_t length, int advice)');
  const pageBytes = 65_536n; // The largest page of these systems: 64 KiB on some Linux arm64 kernels.
  const first = ((address + pageBytes - 1n) / pageBytes) * pageBytes;
  const end = ((address + BigInt(sizeBytes)) / pageBytes) * pageBytes;
  if (end > first) madvise(first, Number(end - first), advices[advice]);
}

/** The system's C library, for memory maps. */
export function systemLibrary(): ReturnType<typeof koffi.load> {
  const names: Partial<Record<NodeJS.Platform, string>> = {
    darwin: 'libSystem.B.dylib',
    win32: 'ucrtbase.dll',
  };
  return koffi.load(names[process.platform] ?? 'libc.so.6');
}
