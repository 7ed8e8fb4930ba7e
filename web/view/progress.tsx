import { useEffect, useState } from 'preact/hooks';
import { secondsLeft } from '../conversation/time-left.ts';
import { type Running, useText } from '../state/state.ts';

/** What happens before the first word: a bar for the stage, and the time it still takes. */
export function Progress({ running }: { running: Running }) {
  const text = useText();
  useTick();
  const { stage, done, total, stageSinceMs } = running;
  if (stage === null) {
    return (
      <div class="progress">
        <span class="dots" aria-hidden="true" />
        {text.waiting}
      </div>
    );
  }
  const left = secondsLeft(done, total, performance.now() - stageSinceMs);
  return (
    <div class="progress">
      <div class="progress-words">
        <span>{text.stages[stage]}</span>
        <span class="muted">{left !== null && text.timeLeft(left)}</span>
      </div>
      <progress max={total} value={done} aria-label={text.stages[stage]} />
    </div>
  );
}

/** Draws again each second, so that the time goes on between two events. */
function useTick(): void {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
}
