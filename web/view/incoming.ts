/** Files that are dropped on the page or pasted into it. */
import { useEffect } from 'preact/hooks';
import { addFiles } from '../state/intake.ts';
import { state } from '../state/state.ts';

export function useIncomingFiles(): void {
  useEffect(() => {
    const drop = (event: DragEvent) => {
      state.set({ isDragging: false });
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault();
      void take(event.dataTransfer);
    };
    const over = (event: DragEvent) => {
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault();
      if (!state.value.isDragging) state.set({ isDragging: true });
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) state.set({ isDragging: false });
    };
    const paste = (event: ClipboardEvent) => {
      // Spreadsheets and word processors add an image of the text to the clipboard.
      if (!hasFiles(event.clipboardData) || event.clipboardData?.getData('text/plain')) return;
      event.preventDefault();
      void take(event.clipboardData);
    };
    document.addEventListener('drop', drop);
    document.addEventListener('dragover', over);
    document.addEventListener('dragleave', leave);
    document.addEventListener('paste', paste);
    return () => {
      document.removeEventListener('drop', drop);
      document.removeEventListener('dragover', over);
      document.removeEventListener('dragleave', leave);
      document.removeEventListener('paste', paste);
    };
  }, []);
}

function hasFiles(transfer: DataTransfer | null): transfer is DataTransfer {
  return transfer?.types.includes('Files') ?? false;
}

async function take(transfer: DataTransfer | null): Promise<void> {
  // They are available only while the event is handled, so they are read before the first await.
  const entries = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry?.() ?? null);
  const files = [...(transfer?.files ?? [])];
  const hasFolder = entries.some((entry) => entry?.isDirectory);
  await addFiles(hasFolder ? (await Promise.all(entries.map(filesOf))).flat() : files);
}

/** The files of a folder that was dropped, and of the folders in it. */
async function filesOf(entry: FileSystemEntry | null): Promise<File[]> {
  if (isFile(entry)) {
    return new Promise((resolve) =>
      entry.file(
        (found) => resolve([found]),
        () => resolve([]),
      ),
    );
  }
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const found: File[] = [];
  for (;;) {
    // A browser returns at most a hundred entries for each call.
    const some = await new Promise<FileSystemEntry[]>((resolve) =>
      reader.readEntries(resolve, () => resolve([])),
    );
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(filesOf))).flat());
  }
}

const isFile = (entry: FileSystemEntry | null): entry is FileSystemFileEntry => entry?.isFile === true;
const isFolder = (entry: FileSystemEntry | null): entry is FileSystemDirectoryEntry =>
  entry?.isDirectory === true;
