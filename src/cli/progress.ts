/**
 * Progress of long work on standard error: a redrawn line on a terminal, or occasional lines in a log. Short work shows
 * nothing.
 */
import type { Progress } from '../generate/types.ts';
import type { RunState } from '../run/progress.ts';
import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts';
import type { Terminal } from './terminal.ts';

export interface ProgressReport {
  /** `part` is the part that advanced, such as one of several files. It is shown until it is done. */
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

  /** Time between lines: 3 seconds at the beginning, up to a minute in long runs. A terminal line is redrawn more often. */
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

// The text of progress: one line for the whole work, and one for each part.

/** One of several files, in bytes; or one of several images, in layers or tokens. */
interface Part {
  readonly name: string;
  readonly done: number;
  readonly total: number;
}

const WORDS: Record<Progress['stage'], { doing: string; unit: string }> = {
  load: { doing: 'Loading the model', unit: 'bytes' },
  vision: { doing: 'Encoding the image', unit: 'layers' },
  prefill: { doing: 'Reading the prompt', unit: 'tokens' },
  convert: { doing: 'Writing the file', unit: 'bytes' },
  verify: { doing: 'Verifying', unit: 'bytes' },
  download: { doing: 'Downloading', unit: 'bytes' },
  answer: { doing: 'Answering', unit: 'questions' },
};

/**
 * "Encoding the image  ██████░░░░  60%  12 of 20 layers, 5.2 a second, 2 s left"; the rate is that of `doneSince`,
 * the work done in `elapsedMs`. The bar uses the rest of `columns`.
 */
export function progressLine(
  { stage, done, total }: Progress,
  doneSince: number,
  elapsedMs: number,
  columns = 0,
): string {
  const { doing, unit } = WORDS[stage];
  const inBytes = unit === 'bytes';
  const count = inBytes
    ? `${formatBytes(done)} of ${formatBytes(total)}`
    : `${formatCount(Math.floor(done))} of ${formatCount(total)} ${unit}`;
  let told = `${percent(done, total)}  ${count}`;
  if (doneSince > 0 && elapsedMs > 0) {
    const bytesPerSecond = (doneSince * 1000) / elapsedMs;
    told += `, ${inBytes ? `${formatBytes(bytesPerSecond)} a second` : countRate(doneSince, elapsedMs)}`;
    // Bytes that are downloaded have another rate than bytes that are verified.
    if (stage !== 'verify') told += `, ${formatDuration((elapsedMs * (total - done)) / doneSince)} left`;
  }
  const bar = drawBar(share(done, total), columns - doing.length - told.length - 4);
  return [doing, ...bar, told].join('  ');
}

/** Layers of a large tower take seconds each. */
function countRate(count: number, ms: number): string {
  const isSlow = count * 1000 < ms;
  return isSlow ? `${formatRate(count, ms / 60)} a minute` : `${formatRate(count, ms)} a second`;
}

/** "model-0000…8.safetensors   25%  1.2 GB of 4.9 GB"; a long name loses its middle. */
function partLine(stage: Progress['stage'], part: Part, columns: number): string {
  const { name, done, total } = part;
  const doing = stage === 'verify' ? ', verifying' : '';
  const count =
    WORDS[stage].unit === 'bytes' ? `${formatBytes(done)} of ${formatBytes(total)}` : stageCount(stage, part);
  const rest = `  ${percent(done, total).padStart(4)}  ${count}${doing}`;
  return `${shortened(name, columns - rest.length)}${rest}`;
}

/** "a.png: vision 12 of 63 layers" */
function imageStage(image: Part & { stage: Progress['stage'] }): string {
  return `${image.name}: ${stageCount(image.stage, image)}`;
}

function stageCount(stage: Progress['stage'], { done, total }: Part): string {
  return `${stage} ${formatCount(Math.floor(done))} of ${formatCount(total)} ${WORDS[stage].unit}`;
}

/** "model-00001-of-00008.safetensors 25%" */
function partShare({ name, done, total }: Part): string {
  return `${name} ${percent(done, total)}`;
}

function shortened(name: string, length: number): string {
  if (name.length <= length) return name;
  const kept = Math.max(length - 1, 2);
  return `${name.slice(0, Math.ceil(kept / 2))}…${name.slice(-Math.floor(kept / 2))}`;
}

function percent(done: number, total: number): string {
  return `${Math.floor(share(done, total) * 100)}%`;
}

function share(done: number, total: number): number {
  return total > 0 ? Math.min(1, done / total) : 0;
}

function drawBar(share: number, room: number): string[] {
  const width = Math.min(room, 20);
  if (width < 5) return [];
  const full = Math.round(share * width);
  return ['█'.repeat(full) + '░'.repeat(width - full)];
}
