/** Decodes frames of a video file by their times. */
import type { RgbImage } from '../image/decode.ts';
import {
  inputName,
  inputOptions,
  Program,
  type ProgramOptions,
  tooManyPixels,
  unreadable,
} from './program.ts';

/** Threads of the decoder. Each has its own memory for frames that it decodes ahead. */
const threads = 4;
/** Times with a smaller difference are equal: half a tick of the coarsest usual clock. */
const toleranceSeconds = 0.0005;
/** A frame that cannot be decoded is replaced by the next one, if that one starts within this time. */
const mostLateSeconds = 0.5;

/**
 * Decodes the frames that start at these times, one after the other. Rotated frames are turned upright.
 * @param starts in seconds after the first frame, ascending, without repetitions
 * @param origin see `FrameTimes`
 * @param onFrame called for each frame; the next frame is read after its promise is fulfilled
 * @returns for each of `starts`, the number of its frame among the calls of `onFrame`; undefined if no frame could be decoded for it
 * @throws CogVLM2Error as `probeVideo`
 */
export async function decodeFrames(
  file: string,
  stream: number,
  { starts, origin }: { starts: readonly number[]; origin: number | null },
  onFrame: (frame: RgbImage) => Promise<void>,
  options: ProgramOptions,
): Promise<(number | undefined)[]> {
  const select = selectionOf(starts, origin);
  for (const mode of ['-fps_mode', '-vsync']) {
    const times: number[] = [];
    using program = new Program(
      'ffmpeg',
      [
        ...['-nostdin', '-hide_banner', '-nostats', '-v', 'repeat+level+info', '-copyts'],
        ...['-threads', String(threads), ...inputOptions(options), '-i', inputName(file)],
        ...['-map', `0:${stream}`, '-vf', `select='${select}',showinfo=checksum=0`, mode, 'passthrough'],
        ...['-frames:v', String(starts.length), '-pix_fmt', 'rgb24', '-c:v', 'ppm', '-f', 'image2pipe'],
        'pipe:1',
      ],
      options,
      (line) => {
        const time = /^\[Parsed_showinfo_\S* @ \S+\] \[info\] n: *\d+ .*? pts_time: *(-?[\d.]+)/.exec(
          line,
        )?.[1];
        if (time !== undefined) times.push(Number(time));
      },
    );
    let count = 0;
    for await (const frame of ppmImages(program.output, options)) {
      count++;
      await onFrame(frame);
    }
    const { messages } = await program.end();
    if (count > 0) return matchTimes(starts, origin ?? times[0] ?? 0, times.slice(0, count));
    // Before ffmpeg 5.1, the option had another name.
    if (mode === '-fps_mode' && /fps_mode/.test(messages)) continue;
    throw unreadable(messages === '' ? 'no frame can be decoded' : messages, options);
  }
  return [];
}

/** ffmpeg's expression for the first frame at or after each time. */
function selectionOf(starts: readonly number[], origin: number | null): string {
  const [time, previous] = origin === null ? ['t-start_t', 'prev_t-start_t'] : ['t', 'prev_t'];
  const terms = starts.map((start) => {
    const at = ((origin ?? 0) + start - toleranceSeconds).toFixed(6);
    return `gte(${time},${at})*(isnan(prev_t)+lt(${previous},${at}))`;
  });
  return terms.join('+');
}

/** @param times of the decoded frames, ascending */
function matchTimes(
  starts: readonly number[],
  origin: number,
  times: readonly number[],
): (number | undefined)[] {
  return starts.map((start) => {
    const i = times.findIndex((time) => time - origin >= start - 2 * toleranceSeconds);
    const time = times[i];
    return time !== undefined && time - origin < start + mostLateSeconds ? i : undefined;
  });
}

/** PPM images one after the other, as ffmpeg writes them: "P6\n640 360\n255\n" and the pixels. */
async function* ppmImages(chunks: AsyncIterable<Buffer>, options: ProgramOptions): AsyncGenerator<RgbImage> {
  let head = '';
  let frame: { width: number; height: number; data: Uint8Array } | undefined;
  let filled = 0;
  for await (const chunk of chunks) {
    let at = 0;
    while (at < chunk.length) {
      if (!frame) {
        const text = head + chunk.toString('latin1', at, at + 64 - head.length);
        const match = /^P6\s(\d+) (\d+)\s255\s/.exec(text);
        if (!match && text.length >= 64) throw unreadable('its frames cannot be decoded', options);
        at += (match ? match[0].length : text.length) - head.length;
        head = match ? '' : text;
        if (!match) continue;
        const [width, height] = [Number(match[1]), Number(match[2])];
        if (width * height > options.maxPixels)
          throw tooManyPixels(options.name, width, height, options.maxPixels);
        frame = { width, height, data: new Uint8Array(3 * width * height) };
        filled = 0;
      }
      const part = chunk.subarray(at, at + frame.data.length - filled);
      frame.data.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < frame.data.length) continue;
      yield frame;
      frame = undefined;
    }
  }
}
