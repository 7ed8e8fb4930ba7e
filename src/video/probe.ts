/** Reads the facts of a video file without decoding it: its video stream, and the time of each frame. */
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { inputName, inputOptions, linesOf, Program, type ProgramOptions, tooManyPixels } from './program.ts';

/** One minute with 240 frames a second, and some hidden packets. */
const mostPackets = 15_000;
const mostTextBytes = 2 ** 22;

export interface StreamFacts {
  /** Index of the video stream. */
  stream: number;
  /** Duration of the whole video; null if the file does not contain it. */
  durationSeconds: number | null;
  /** Average frame rate; null if the file does not contain it. */
  framesPerSecond: number | null;
}

/** @throws CogVLM2Error `invalid_image` (no video, damaged, too slow), `image_too_large`, `engine_unavailable`, `aborted` */
export async function probeVideo(file: string, options: ProgramOptions): Promise<StreamFacts> {
  const { name, maxPixels } = options;
  const entries =
    'format=duration:stream=index,codec_type,width,height,avg_frame_rate,duration:stream_disposition=attached_pic';
  using program = startProbe(file, ['-show_entries', entries, '-of', 'json'], options);
  let json = '';
  for await (const line of linesOf(program, mostTextBytes, options)) json += line;
  const { streams, format } = factsSchema.parse(JSON.parse(json));
  const stream = streams.find((each) => each.codec_type === 'video' && each.disposition?.attached_pic !== 1);
  if (!stream) {
    const other = streams.some(({ codec_type }) => codec_type === 'audio') ? 'sound, but ' : '';
    throw new CogVLM2Error('invalid_image', `${name} has ${other}no video.`);
  }
  const { width = 0, height = 0 } = stream;
  if (width * height > maxPixels) throw tooManyPixels(name, width, height, maxPixels);
  const duration = Number(stream.duration ?? format?.duration);
  return {
    stream: stream.index,
    durationSeconds: Number.isFinite(duration) ? duration : null,
    framesPerSecond: rateOf(stream.avg_frame_rate),
  };
}

const factsSchema = z.object({
  streams: z
    .array(
      z.object({
        index: z.int(),
        codec_type: z.string().optional(),
        width: z.int().optional(),
        height: z.int().optional(),
        avg_frame_rate: z.string().optional(),
        duration: z.string().optional(),
        disposition: z.object({ attached_pic: z.int().optional() }).optional(),
      }),
    )
    .default([]),
  format: z.object({ duration: z.string().optional() }).optional(),
});

/** "30000/1001" as a number. */
function rateOf(fraction: string | undefined): number | null {
  const [over = Number.NaN, under = Number.NaN] = (fraction ?? '').split('/').map(Number);
  const rate = over / under;
  return Number.isFinite(rate) && rate > 0 ? rate : null;
}

export interface FrameTimes {
  /** When each frame starts, in seconds after the first one, ascending. */
  starts: readonly number[];
  /** The presentation time of the first frame; null if the file has no presentation times (AVI). */
  origin: number | null;
  /** For a truncated file, the seconds that it contains; otherwise null. */
  cutAfterSeconds: number | null;
}

/** The part of a video whose frame times are read: at least this many frames, and up to a frame that starts at or after `seconds`. */
export interface Span {
  frames: number;
  seconds: number;
}

/** The start times of the frames in the given part. @throws CogVLM2Error as `probeVideo` */
export async function frameTimes(
  file: string,
  stream: number,
  { frames, seconds }: Span,
  options: ProgramOptions,
): Promise<FrameTimes> {
  // The packets are read by number, not by time, because the next frame of a slide show may be minutes away. Some are hidden.
  for (let count = Math.ceil(frames * 1.2) + 50; ; count *= 2) {
    const read = await readPackets(file, stream, Math.min(count, mostPackets), options);
    const isWhole = read.packets < Math.min(count, mostPackets);
    if (isWhole || (count <= mostPackets && (read.starts.at(-1) ?? 0) >= seconds)) return read;
    if (count >= mostPackets)
      throw new CogVLM2Error(
        'image_too_large',
        `${options.name} has more than ${mostPackets} frames in the part that is read. Give a video with fewer frames per second.`,
      );
  }
}

async function readPackets(
  file: string,
  stream: number,
  count: number,
  options: ProgramOptions,
): Promise<FrameTimes & { packets: number }> {
  const entries = 'packet=pts_time,dts_time,duration_time,flags';
  const part = ['-select_streams', String(stream), '-read_intervals', `%+#${count}`];
  using program = startProbe(
    file,
    [...part, '-show_entries', entries, '-of', 'compact=print_section=0'],
    options,
  );
  const packets: Packet[] = [];
  for await (const line of linesOf(program, mostTextBytes, options)) {
    const packet = packetIn(line);
    if (packet) packets.push(packet);
  }
  const { messages } = await program.end();
  const shown = packets.filter(({ isHidden }) => !isHidden);
  const hasTimes = shown.some(({ presentation }) => presentation !== undefined);
  const times = shown
    .map(({ presentation, decoding }, i) => (hasTimes ? presentation : undefined) ?? decoding ?? i)
    .sort((a, b) => a - b);
  const [first] = times;
  if (first === undefined) throw new CogVLM2Error('invalid_image', `${options.name} has no frames.`);
  const lastSeconds = shown.at(-1)?.duration ?? 0;
  const isCut = /partial file|ended prematurely/i.test(messages);
  return {
    packets: packets.length,
    starts: distinct(times).map((time) => time - first),
    origin: hasTimes ? first : null,
    cutAfterSeconds: isCut ? (times.at(-1) ?? first) - first + lastSeconds : null,
  };
}

/** Times in seconds; undefined where the file has none. */
interface Packet {
  presentation: number | undefined;
  decoding: number | undefined;
  duration: number | undefined;
  /** By an edit list. */
  isHidden: boolean;
}

/** @param line such as "pts_time=0.04|dts_time=N/A|duration_time=0.04|flags=K_D" */
function packetIn(line: string): Packet | undefined {
  const fields = new Map([...line.matchAll(/(\w+)=([^|]*)/g)].map(([, name, value]) => [name, value]));
  const flags = fields.get('flags');
  if (flags === undefined) return undefined;
  const seconds = (name: string) => {
    const value = Number(fields.get(name));
    return Number.isFinite(value) ? value : undefined;
  };
  return {
    presentation: seconds('pts_time'),
    decoding: seconds('dts_time'),
    duration: seconds('duration_time'),
    isHidden: flags.includes('D'),
  };
}

/** A hidden frame (VP8) and the second field of a frame have the time of the next frame. */
function distinct(times: readonly number[]): number[] {
  const kept: number[] = [];
  for (const time of times) if (time - (kept.at(-1) ?? -Infinity) > 0.0011) kept.push(time);
  return kept;
}

function startProbe(file: string, args: readonly string[], options: ProgramOptions): Program {
  return new Program('ffprobe', ['-v', 'error', ...inputOptions(options), ...args, inputName(file)], options);
}
