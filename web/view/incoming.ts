/** Pictures that are dropped on the page or pasted into it. */
import { useEffect } from 'preact/hooks';
import { addPictures } from '../state/pictures.ts';
import { state } from '../state/state.ts';
import { focusQuestion } from './composer.tsx';

export function useIncomingPictures(): void {
  useEffect(() => {
    const drop = (event: DragEvent) => {
      state.set({ isDragging: false });
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault();
      take(event.dataTransfer);
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
      // Spreadsheets and word processors put a picture of the text beside the text.
      if (!hasFiles(event.clipboardData) || event.clipboardData?.getData('text/plain')) return;
      event.preventDefault();
      take(event.clipboardData);
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

function take(transfer: DataTransfer | null): void {
  void addPictures([...(transfer?.files ?? [])]);
  focusQuestion();
}
