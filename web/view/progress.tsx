import { useEffect, useState } from 'preact/hooks';
import { secondsLeft } from '../conversation/time-left.ts';
import type { Text } from '../language/en.ts';
import type { AnswerProgress } from '../state/progress.ts';
import { useText } from '../state/state.ts';

/** Progress before the first word: a bar for the stage, and the remaining time. */
export function Progress({ progress }: { progress: AnswerProgress }) {
  const text = useText();
  useTick();
  const { stage, done, total } = progress;
  if (stage === null) {
    return (
      <div class="progress">
        <span class="dots" aria-hidden="true" />
        {text.waiting}
      </div>
    );
  }
  return (
    <div class="progress">
      <div class="progress-words">
        <span>{text.stages[stage]}</span>
        <span class="muted">{detailOf(progress, text)}</span>
      </div>
      <progress max={total} value={done} aria-label={text.stages[stage]} />
    </div>
  );
}

/** `Reading the image, layer 12 of 63, about 3 min left` */
export function stageText(progress: AnswerProgress, text: Text): string {
  if (progress.stage === null) return text.waiting;
  return [text.stages[progress.stage], detailOf(progress, text)].filter((part) => part !== '').join(', ');
}

function detailOf({ stage, done, total, stageSinceMs }: AnswerProgress, text: Text): string {
  const left = secondsLeft(done, total, performance.now() - stageSinceMs);
  const layer = stage === 'vision' ? text.layer(Math.floor(done), total) : '';
  return [layer, left === null ? '' : text.timeLeft(left)].filter((part) => part !== '').join(', ');
}

/** Draws again each second, so that the time changes between two events. */
export function useTick(isOn = true): void {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!isOn) return;
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, [isOn]);
}
