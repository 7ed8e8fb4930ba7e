/**
 * Locks of the operating system. A lock ends with its process in every case, so it is never stale. It is valid for all containers and
 * processes that use the file.
 */

import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import koffi from 'koffi';
import type { CogVLM2Error } from '../errors.ts';

/** An open lock file. */
export interface SystemLock {
  /** Ends the lock and deletes its file. */
  release(): void;
}

/**
 * Locks a file and writes `text` into it. Creates the file if it is absent.
 * @returns undefined when another process, or this one, has the lock
 * @throws the system's error when the file cannot be opened, or the disk has no locks (ENOLCK, ENOTSUP)
 */
export function lockSystemFile(file: string, text: string): SystemLock | undefined {
  return process.platform === 'win32' ? lockOnWindows(file, text) : lockOnPosix(file, text);
}

/** Whether a process writes a file: it is locked. POSIX only. @throws the system's error */
export function isLocked(file: string): boolean {
  const descriptor = openSync(file, 'r');
  try {
    return !tryFlock(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Whether a process runs. Another process may have got the id of one that ended. */
export function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function lockOnPosix(file: string, text: string): SystemLock | undefined {
  for (;;) {
    const descriptor = openSync(file, 'a+');
    let isOurs = false;
    try {
      if (!tryFlock(descriptor)) return undefined;
      // The previous holder may have deleted the file after this process opened it. Then other processes would lock a new file.
      isOurs = fstatSync(descriptor).ino === statSync(file, { throwIfNoEntry: false })?.ino;
      if (!isOurs) continue;
      ftruncateSync(descriptor);
      writeSync(descriptor, text);
      return {
        release() {
          rmSync(file, { force: true });
          closeSync(descriptor);
        },
      };
    } finally {
      if (!isOurs) closeSync(descriptor);
    }
  }
}

const EXCLUSIVE = 2;
const NON_BLOCKING = 4;
let flock: ((descriptor: number, operation: number) => number) | undefined;

/** Takes the lock of an open file, without waiting, until the descriptor is closed. @throws the system's error */
export function tryFlock(descriptor: number): boolean {
  flock ??= koffi
    .load(process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6')
    .func('int flock(int descriptor, int operation)');
  if (flock(descriptor, EXCLUSIVE | NON_BLOCKING) === 0) return true;
  const number = koffi.errno();
  const { EWOULDBLOCK, EAGAIN, EINTR } = koffi.os.errno;
  if (number === EWOULDBLOCK || number === EAGAIN) return false;
  if (number === EINTR) return tryFlock(descriptor);
  const code = Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? `errno ${number}`;
  throw Object.assign(new Error(`flock: ${code}`), { code, syscall: 'flock' });
}

/** The lock is an open file that does not share writes: a second open for writing fails. */
function lockOnWindows(file: string, text: string): SystemLock | undefined {
  const kernel = koffi.load('kernel32.dll');
  const createFile = kernel.func(
    'void *__stdcall CreateFileW(str16 name, uint32_t access, uint32_t share, void *security, uint32_t creation, uint32_t flags, void *template)',
  );
  const writeFile = kernel.func(
    'int __stdcall WriteFile(void *file, str text, uint32_t length, void *written, void *overlapped)',
  );
  const closeHandle = kernel.func('int __stdcall CloseHandle(void *handle)');
  const getLastError = kernel.func('uint32_t __stdcall GetLastError()');
  const [readWrite, shareRead, createAlways, deleteOnClose] = [0xc000_0000, 1, 2, 0x0400_0000];
  const handle: unknown = createFile(file, readWrite, shareRead, null, createAlways, deleteOnClose, null);
  if (typeof handle !== 'bigint' || BigInt.asIntN(64, handle) === -1n) {
    const number: unknown = getLastError();
    const [sharingViolation, accessDenied] = [32, 5];
    // Access is denied while the holder's file is being deleted.
    if (number === sharingViolation || number === accessDenied) return undefined;
    throw Object.assign(new Error(`CreateFile: error ${number}`), { code: `Windows error ${number}` });
  }
  const written = Buffer.alloc(4);
  writeFile(handle, text, Buffer.byteLength(text), written, null);
  return { release: () => void closeHandle(handle) };
}

// Lock files: the process that uses a resource locks a file.

/**
 * Locked until disposed, or until the process ends. The file contains the process id, for messages of other processes.
 * @throws the error that `taken` returns for the holder, "Process 123" or "Another process"; the system's error
 */
export function lockFile(file: string, taken: (holder: string) => CogVLM2Error): Disposable {
  const lock = lockSystemFile(file, String(process.pid));
  if (lock === undefined) throw taken(holderOf(file));
  return { [Symbol.dispose]: () => lock.release() };
}

function holderOf(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (/^\d+$/.test(text)) return `Process ${text}`;
  } catch {
    // It was released just now, or another user's.
  }
  return 'Another process';
}
