/**
 * A file that is mapped into memory and becomes shorter ends the process that reads it with SIGBUS. A program may ask for
 * an error message and an exit status instead; a library must not, because signals belong to the whole process.
 */
import { existsSync } from 'node:fs';
import koffi from 'koffi';
import { prebuiltFolder } from './library.ts';
import { busErrorLibraries } from './variants.ts';

/**
 * From now on, a mapped file that cannot be read ends this process with `exitStatus`, after `message` is written to
 * standard error (at most 1,024 bytes). Linux only: Windows lets nobody shorten a mapped file, and on macOS the system
 * ends the process as before.
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
