import { useEffect } from 'preact/hooks';
import { stop } from '../state/ask.ts';
import { openConversation } from '../state/history.ts';
import { state, useText } from '../state/state.ts';
import { focusQuestion, runningTurn } from './composer.tsx';
import { Panel } from './panel.tsx';
import { SEARCH_ID } from './sidebar.tsx';

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);
const control = isMac ? '⌘' : 'Ctrl';

const KEYS = {
  send: 'Enter',
  line: 'Shift + Enter',
  stop: 'Esc',
  fresh: `${control} + Shift + O`,
  search: `${control} + K`,
  focus: '/',
  edit: '↑',
  zoom: '+ - 0',
  rotate: 'R',
  nextPage: `${control} + Enter`,
  previousPage: `${control} + Shift + Enter`,
};

export function ShortcutsPanel() {
  const text = useText();
  return (
    <Panel title={text.shortcuts} kind="shortcuts" onClose={() => state.set({ panel: null })}>
      <dl>
        {(Object.keys(KEYS) as (keyof typeof KEYS)[]).map((name) => (
          <div key={name}>
            <dt>{text.shortcutNames[name]}</dt>
            <dd>
              <kbd>{KEYS[name]}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

export function useShortcuts(): void {
  useEffect(() => {
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, []);
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.isComposing || state.value.panel !== null) return;
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
}

function actionOf(event: KeyboardEvent): (() => void) | null {
  const isControl = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (isControl && event.shiftKey && key === 'o') return () => openConversation(null);
  if (isControl && key === 'k') return focusSearch;
  if (key === 'escape') {
    const turnId = runningTurn();
    if (turnId !== undefined) return () => stop(turnId);
    if (state.value.isSidebarOpen) return () => state.set({ isSidebarOpen: false });
  }
  return key === '/' && !isControl && !isWriting(event.target) ? focusQuestion : null;
}

function focusSearch(): void {
  state.set({ isSidebarOpen: true });
  requestAnimationFrame(() => {
    const field = document.querySelector<HTMLInputElement>(`#${SEARCH_ID}`);
    field?.focus();
    // Selects the last search, so that typing replaces it.
    field?.select();
  });
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
