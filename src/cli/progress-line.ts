/** The text of progress: one line for the whole work, and one for each part. */
import type { Progress } from '../generate/types.ts';
import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts';

/** A file of several, in bytes; or an image of several, in layers or tokens. */
export interface Part {
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
 * what was done in `elapsedMs`. The bar takes what the rest leaves of `columns`.
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
    // What is not there to be verified comes at another rate.
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
export function partLine(stage: Progress['stage'], part: Part, columns: number): string {
  const { name, done, total } = part;
  const doing = stage === 'verify' ? ', verifying' : '';
  const count =
    WORDS[stage].unit === 'bytes' ? `${formatBytes(done)} of ${formatBytes(total)}` : stageCount(stage, part);
  const rest = `  ${percent(done, total).padStart(4)}  ${count}${doing}`;
  return `${shortened(name, columns - rest.length)}${rest}`;
}

/** "a.png: vision 12 of 63 layers" */
export function imageStage(image: Part & { stage: Progress['stage'] }): string {
  return `${image.name}: ${stageCount(image.stage, image)}`;
}

function stageCount(stage: Progress['stage'], { done, total }: Part): string {
  return `${stage} ${formatCount(Math.floor(done))} of ${formatCount(total)} ${WORDS[stage].unit}`;
}

/** "model-00001-of-00008.safetensors 25%" */
export function partShare({ name, done, total }: Part): string {
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
