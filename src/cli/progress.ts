/**
 * Progress of long work on standard error: a line that is redrawn on a terminal, and now and then a line in a log. Short
 * work shows nothing.
 */
import type { Progress } from '../generate/types.ts';
import type { RunState } from '../run/run-progress.ts';
import { imageStage, type Part, partLine, partShare, progressLine } from './progress-line.ts';
import type { Terminal } from './terminal.ts';

export interface ProgressReport {
  /** `part` is the part that moved, such as one file of several. It is shown until it is done. */
  report(progress: Progress & { file?: Part }): void;
  /** The state of a run over many images, with the stage of the current image. */
  reportRun(state: RunState): void;
  /** Erases the lines. Call it before anything else is written. */
  clear(): void;
}

interface Stage {
  stage: Progress['stage'];
  startedAt: number;
  firstDone: number;
  shownAt: number;
}

const silent: ProgressReport = { report() {}, reportRun() {}, clear() {} };

export function createProgress(terminal: Terminal, quiet: boolean): ProgressReport {
  if (quiet) return silent;
  const { stderr, now } = terminal;
  const live = stderr.isTTY === true;
  const delayMs = live ? 300 : 2_000;
  const underway = new Map<string, { stage: Progress['stage']; part: Part }>();
  let image: RunState['image'];
  let current: Stage | undefined;
  let drawnLines = 0;

  function clear(): void {
    if (drawnLines > 0) stderr.write(`${toTop()}\x1b[J`);
    drawnLines = 0;
  }

  function toTop(): string {
    return drawnLines > 1 ? `\r\x1b[${drawnLines - 1}A` : '\r';
  }

  /** A log of hours gets a line a minute, a log of seconds every three seconds. */
  function everyMs(stage: Stage): number {
    return live ? 80 : Math.min(60_000, Math.max(3_000, (now() - stage.startedAt) / 20));
  }

  /** A line that wraps or scrolls cannot be redrawn. */
  function columns(): number {
    return (stderr.columns || 80) - 1;
  }

  /** The cursor stays at the beginning of the last line, so that the "^C" of the terminal does not wrap it. */
  function draw(line: string): void {
    const room = Math.max((stderr.rows || 24) - 1, 1);
    const files = [...underway.values()].map(({ stage, part }) => partLine(stage, part, columns()));
    const parts = image === undefined ? files : [partLine(image.stage, image, columns())];
    const lines = [...parts.slice(0, room - 1), line].map((text) => `${text.slice(0, columns())}\x1b[K`);
    stderr.write(`${toTop()}${lines.join('\n')}\x1b[J\r`);
    drawnLines = lines.length;
  }

  function writePlain(line: string): void {
    const files = [...underway.values()].map(({ part }) => partShare(part));
    const parts = (image === undefined ? files : [imageStage(image)]).join(', ');
    stderr.write(parts === '' ? `${line}\n` : `${line}; ${parts}\n`);
  }

  function report(progress: Progress & { file?: Part }): void {
    const time = now();
    const { stage, done, total, file } = progress;
    if (current?.stage !== stage || done < current.firstDone)
      current = { stage, startedAt: time, firstDone: done, shownAt: time + delayMs - (live ? 80 : 3_000) };
    if (file !== undefined) {
      if (file.done < file.total) underway.set(file.name, { stage, part: file });
      else underway.delete(file.name);
    }
    if (done >= total) {
      clear();
      return;
    }
    if (time - current.shownAt < everyMs(current)) return;
    current.shownAt = time;
    const since = [done - current.firstDone, time - current.startedAt] as const;
    if (live) draw(progressLine(progress, ...since, columns()));
    else writePlain(progressLine(progress, ...since));
  }

  function reportRun(state: RunState): void {
    image = state.image ?? image;
    report({ stage: 'answer', done: state.done, total: state.total });
  }

  return { report, reportRun, clear };
}
