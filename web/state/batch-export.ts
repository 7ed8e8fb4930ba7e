/** A batch as a file, or in the clipboard. */
import { clipboardOf, csvOf, jsonLinesOf } from '../batch/export.ts';
import type { Batch } from '../batch/types.ts';
import { copyText } from './clipboard.ts';
import { notify } from './notices.ts';
import { saveFile } from './save-file.ts';
import { state } from './state.ts';

export function saveCsv(batch: Batch): void {
  const csv = csvOf(batch, state.value.text.batch.head);
  saveFile(new Blob([csv], { type: 'text/csv' }), `${fileName(batch)}.csv`);
}

export function saveJsonLines(batch: Batch): void {
  saveFile(new Blob([jsonLinesOf(batch)], { type: 'application/x-ndjson' }), `${fileName(batch)}.jsonl`);
}

/** As HTML, which spreadsheets read cell by cell, and as text with tabs. If the browser refuses HTML, as text only. */
export async function copyTable(batch: Batch): Promise<void> {
  const { html, text } = clipboardOf(batch, state.value.text.batch.head);
  try {
    const typed = (type: string, content: string) => [type, new Blob([content], { type })] as const;
    const item = new ClipboardItem(Object.fromEntries([typed('text/html', html), typed('text/plain', text)]));
    await navigator.clipboard.write([item]);
    notify('info', state.value.text.copied);
  } catch {
    await copyText(text);
  }
}

function fileName({ name }: Batch): string {
  return name.replace(/\.\w{1,5}$/, '').replace(/[^\p{L}\p{N}._-]+/gu, '-') || 'table';
}
