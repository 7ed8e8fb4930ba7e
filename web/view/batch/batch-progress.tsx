import { countStates } from '../../batch/rows.ts';
import type { Batch } from '../../batch/types.ts';
import { secondsLeft } from '../../conversation/time-left.ts';
import { hasNotifications, LONG_MS, turnOnNotifications, willNotify } from '../../state/notify-at-end.ts';
import { useApp, useText } from '../../state/state.ts';
import { useTick } from '../progress.tsx';

/** The number of finished pages and the remaining time, which is estimated by the server before the start, and then by this run. */
export function BatchProgress({ batch }: { batch: Batch }) {
  const text = useText();
  const run = useApp(({ batchRuns }) => batchRuns[batch.id]);
  const notifies = useApp(willNotify);
  const secondsPerImage = useApp(({ info }) => info?.secondsPerImage ?? null);
  const slots = useApp(({ info }) => info?.slots ?? 1);
  useTick(run !== undefined);
  const { waiting, done, failed } = countStates(batch);
  if (!run) {
    const seconds = secondsPerImage === null ? null : (secondsPerImage * waiting) / slots;
    return (
      <span class="muted small batch-status" role="status">
        {done + failed > 0 && `${text.batch.finished(done, failed)} `}
        {waiting > 0 && (seconds === null ? text.batch.notMeasured : text.batch.estimate(seconds))}
      </span>
    );
  }
  const elapsedMs = performance.now() - run.startedAtMs;
  const left = secondsLeft(run.done, run.total, elapsedMs);
  const isLong = Math.max(elapsedMs, (left ?? 0) * 1000) > LONG_MS;
  return (
    <span class="batch-status">
      <progress max={run.total} value={run.done} aria-label={text.batch.progress(run.done, run.total)} />
      <span class="small">
        {text.batch.progress(run.done, run.total)}
        {left !== null && ` · ${text.timeLeft(left)}`}
      </span>
      {isLong && hasNotifications && !notifies && (
        <button type="button" class="link small" onClick={() => void turnOnNotifications()}>
          {text.batch.notifyMe}
        </button>
      )}
    </span>
  );
}
