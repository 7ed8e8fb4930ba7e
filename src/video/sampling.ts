/**
 * Selects the frames of a video for the model. Source: `load_video` of the published demos, with the strategies "chat" and "base".
 */

/** Maximum number of frames of a video. */
export const mostFrames = 24;

/** Even spacing uses at most this time of a video. */
export const spacedSeconds = 60;

/**
 * Selects one frame per second from the beginning, at most 24: for each whole second, the frame with the nearest start. So only the first
 * 24 seconds are read.
 * @param starts start of each frame, in seconds from the beginning
 * @returns frame numbers; one may occur twice
 */
export function framesBySecond(starts: readonly number[]): number[] {
  const latest = starts.reduce((most, start) => Math.max(most, start), 0);
  const seconds = Math.min(mostFrames, roundHalfToEven(latest) + 1);
  return Array.from({ length: seconds }, (_, second) => nearest(starts, second));
}

/**
 * 24 frames with equal distances from the first minute.
 * @returns frame numbers; a short video has some of them twice
 */
export function framesBySpacing(count: number, framesPerSecond: number): number[] {
  const end = Math.min(count, Math.trunc(spacedSeconds * framesPerSecond));
  const last = Math.max(0, end - 1);
  const step = last / (mostFrames - 1);
  return Array.from({ length: mostFrames }, (_, i) => (i === mostFrames - 1 ? last : Math.trunc(i * step)));
}

/** The first of the frames that start nearest to a second. */
function nearest(starts: readonly number[], second: number): number {
  let best = 0;
  for (const [i, start] of starts.entries())
    if (Math.abs(start - second) < Math.abs((starts[best] ?? 0) - second)) best = i;
  return best;
}

/** As Python rounds. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
