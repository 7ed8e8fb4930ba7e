import { newId } from '../storage/new-id.ts';
import { type Notice, state } from './state.ts';

const SHOWN_MS = 8_000;

/** Shows a notice at the edge of the page. An error stays until it is closed. */
export function notify(kind: Notice['kind'], text: string, action?: Notice['action']): void {
  const notice: Notice = { id: newId(), kind, text, ...(action && { action }) };
  state.set({ notices: [...state.value.notices.filter((old) => old.text !== text), notice].slice(-3) });
  if (kind === 'info') setTimeout(() => dismiss(notice.id), SHOWN_MS);
}

export function dismiss(id: string): void {
  state.set({ notices: state.value.notices.filter((notice) => notice.id !== id) });
}
