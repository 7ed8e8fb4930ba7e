import { notify } from './notices.ts';
import { state } from './state.ts';

/** Copies. @returns whether it succeeded. `navigator.clipboard` is missing on plain http from another machine. */
export async function copyText(text: string): Promise<void> {
  const isCopied = await navigator.clipboard?.writeText(text).then(
    () => true,
    () => false,
  );
  if (isCopied || copyBySelection(text)) notify('info', state.value.text.copied);
  else notify('error', state.value.text.notCopied);
}

function copyBySelection(text: string): boolean {
  const focused = document.activeElement;
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'off-screen';
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand('copy');
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
