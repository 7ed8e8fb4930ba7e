/** The title of the browser tab shows the progress and the end of long work. */
import { type State, state } from './state.ts';

/** Set if work ended while the tab is hidden. */
let hasEnded = false;
let wasBusy = false;

export function followTitle(): void {
  const show = () => {
    const isBusy = Object.keys(state.value.batchRuns).length + Object.keys(state.value.running).length > 0;
    if (wasBusy && !isBusy && document.visibilityState === 'hidden') hasEnded = true;
    wasBusy = isBusy;
    const title = titleOf(state.value, hasEnded);
    if (document.title !== title) document.title = title;
  };
  state.subscribe(show);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') hasEnded = false;
    show();
  });
}

/**
 * `3/20 CogVLM2` while a batch is read, `… CogVLM2` while an answer is generated, `✓ CogVLM2` if it ended while the tab was
 * hidden.
 */
export function titleOf(
  { batchRuns, running }: Pick<State, 'batchRuns' | 'running'>,
  hasEnded: boolean,
): string {
  const [run] = Object.values(batchRuns);
  if (run) return `${run.done}/${run.total} CogVLM2`;
  if (Object.keys(running).length > 0) return '… CogVLM2';
  return hasEnded ? '✓ CogVLM2' : 'CogVLM2';
}
