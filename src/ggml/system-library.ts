import koffi from 'koffi';

/** The C library of this system: memory maps and the like. */
export function systemLibrary(): ReturnType<typeof koffi.load> {
  const names: Partial<Record<NodeJS.Platform, string>> = {
    darwin: 'libSystem.B.dylib',
    win32: 'ucrtbase.dll',
  };
  return koffi.load(names[process.platform] ?? 'libc.so.6');
}
