/**
 * If a mapped file becomes shorter, the process that reads it gets SIGBUS and ends. A program may print an error message and exit
 * with a status instead. A library must not do that, because signal handlers belong to the whole process.
 */
import { existsSync } from 'node:fs';
import koffi from 'koffi';
import { prebuiltFolder } from './library.ts';
import { busErrorLibraries } from './variants.ts';

/**
 * If a mapped file cannot be read from now on, `message` (at most 1,024 bytes) is written to standard error, and the process exits
 * with `exitStatus`. Linux only: Windows does not allow a mapped file to become shorter, and on macOS the process ends as before.
 */
export function exitOnBusError(message: string, exitStatus: number): void {
  const name = `${process.platform}-${process.arch}`;
  if (!(name in busErrorLibraries)) return;
  const { file } = busErrorLibraries[name as keyof typeof busErrorLibraries];
  const library = `${prebuiltFolder()}/${file}`;
  if (!existsSync(library)) return;
  koffi.load(library).func('int cogvlm2_exit_on_bus_error(const char *text, int status)')(
    message,
    exitStatus,
  );
}
