/**
 * Reads videos with the programs ffprobe and ffmpeg of this machine, as child processes without a shell. They may open local files only,
 * and only in container formats that name no other files: no playlists, no image sequences, no addresses.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import type { RgbImage } from '../image/decode.ts';
import { DEFAULT_IMAGE_LIMITS } from '../image/formats.ts';

/** ffmpeg's names of the formats that are read. */
const formats =
  'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,apng,ivf,wtv,mxf,h264,hevc,av1,obu,m4v';
const inputOptions = ['-v', 'error', '-protocol_whitelist', 'file,pipe', '-format_whitelist', formats];
/** Longest run of each program. */
const timeoutMs = 300_000;
/** A minute of 1,000 frames a second. */
const mostPackets = 60_000;
const mostTextBytes = 2 ** 23;

export interface VideoFacts {
  /** The stream that is shown. */
  stream: number;
  /** Of the whole file; null where it does not say. */
  durationSeconds: number | null;
  /** The average, as the file says. */
  framesPerSecond: number;
  /** When each frame starts, in seconds after the first one, as far as `seconds` asked for. */
  starts: number[];
}

interface ReadOptions {
  /** The video's name in messages. */
  name: string;
  signal?: AbortSignal | undefined;
}

/**
 * @param seconds how much of the beginning is looked at
 * @throws CogVLM2Error `invalid_image` (no video, damaged), `image_too_large`, `engine_unavailable` (no ffprobe), `aborted`
 */
export async function probeVideo(
  file: string,
  seconds: number,
  { name, signal }: ReadOptions,
): Promise<VideoFacts> {
  const json = await textOfProbe(
    [
      ...inputOptions,
      '-show_entries',
      'format=duration:stream=index,codec_type,width,height,avg_frame_rate,duration:stream_disposition=attached_pic',
      ...['-of', 'json', inputName(file)],
    ],
    { name, signal },
  );
  const { streams, format } = factsSchema.parse(JSON.parse(json));
  const stream = streams.find((each) => each.codec_type === 'video' && each.disposition?.attached_pic !== 1);
  if (!stream) {
    const other = streams.some(({ codec_type }) => codec_type === 'audio') ? 'sound, but ' : '';
    throw new CogVLM2Error('invalid_image', `${name} has ${other}no video.`);
  }
  const { width = 0, height = 0 } = stream;
  if (width * height > DEFAULT_IMAGE_LIMITS.maxPixels) {
    throw new CogVLM2Error(
      'image_too_large',
      `${name} has frames of ${width} x ${height} pixels; the limit is ${DEFAULT_IMAGE_LIMITS.maxPixels} pixels. Make them smaller.`,
    );
  }
  const starts = await startsOf(file, stream.index, seconds, { name, signal });
  if (starts.length === 0) throw new CogVLM2Error('invalid_image', `${name} has no frames.`);
  const rate = rateOf(stream.avg_frame_rate) ?? starts.length / Math.max(1, starts.at(-1) ?? 1);
  const duration = Number(stream.duration ?? format?.duration);
  return {
    stream: stream.index,
    durationSeconds: Number.isFinite(duration) ? duration : null,
    framesPerSecond: rate,
    starts,
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
function rateOf(fraction: string | undefined): number | undefined {
  const [over = Number.NaN, under = Number.NaN] = (fraction ?? '').split('/').map(Number);
  const rate = over / under;
  return Number.isFinite(rate) && rate > 0 ? rate : undefined;
}

/** The presentation times of the packets, each of which is a frame. Packets that an edit list hides are left out. */
async function startsOf(
  file: string,
  stream: number,
  seconds: number,
  options: ReadOptions,
): Promise<number[]> {
  const json = await textOfProbe(
    [
      ...inputOptions,
      ...['-select_streams', String(stream), '-read_intervals', `%+${seconds}`],
      ...['-show_entries', 'packet=pts_time,dts_time,flags', '-of', 'json', inputName(file)],
    ],
    options,
  );
  const { packets } = packetsSchema.parse(JSON.parse(json));
  if (packets.length > mostPackets) {
    throw new CogVLM2Error(
      'image_too_large',
      `${options.name} has ${packets.length} frames in ${seconds} seconds; the limit is ${mostPackets}.`,
    );
  }
  const times = packets
    .filter(({ flags }) => !flags?.includes('D'))
    .map(({ pts_time, dts_time }, i) => Number(pts_time ?? dts_time ?? i));
  if (times.some((time) => !Number.isFinite(time)))
    throw new CogVLM2Error('invalid_image', `${options.name} has frames without times.`);
  times.sort((a, b) => a - b);
  const [first = 0] = times;
  return times.map((time) => time - first);
}

const packetsSchema = z.object({
  packets: z
    .array(
      z.object({
        pts_time: z.string().optional(),
        dts_time: z.string().optional(),
        flags: z.string().optional(),
      }),
    )
    .default([]),
});

/**
 * Decodes frames by their numbers in the order of presentation, upright. Yields those that can be decoded, in ascending order.
 * @param numbers ascending, without repetitions
 * @throws CogVLM2Error as `probeVideo`
 */
export async function* decodeFrames(
  file: string,
  stream: number,
  numbers: readonly number[],
  options: ReadOptions,
): AsyncGenerator<RgbImage> {
  const select = numbers.map((number) => `eq(n\\,${number})`).join('+');
  for (const mode of ['-fps_mode', '-vsync']) {
    const child = start(
      'ffmpeg',
      [
        '-nostdin',
        ...inputOptions,
        ...['-i', inputName(file), '-map', `0:${stream}`, '-vf', `select=${select}`, mode, 'passthrough'],
        ...['-frames:v', String(numbers.length), '-c:v', 'ppm', '-f', 'image2pipe', 'pipe:1'],
      ],
      options.signal,
    );
    let count = 0;
    try {
      for await (const frame of ppmImages(child.stdout, options.name)) {
        count++;
        yield frame;
      }
    } finally {
      child.kill();
    }
    const problem = await child.ended;
    options.signal?.throwIfAborted();
    if (count > 0) return;
    // Before ffmpeg 5.1, the option had another name.
    if (mode === '-fps_mode' && /fps_mode/.test(problem ?? '')) continue;
    throw unreadable(options.name, problem ?? 'no frame can be decoded');
  }
}

/** PPM images one after the other, as ffmpeg writes them: "P6\n640 360\n255\n" and the pixels. */
async function* ppmImages(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<RgbImage> {
  let parts: Buffer[] = [];
  let sizeBytes = 0;
  let head: { width: number; height: number; start: number } | undefined;
  for await (const chunk of chunks) {
    parts.push(chunk);
    sizeBytes += chunk.length;
    for (;;) {
      if (!head) {
        const whole = Buffer.concat(parts);
        parts = [whole];
        const match = /^P6\s(\d+) (\d+)\s255\s/.exec(whole.toString('latin1', 0, 64));
        if (!match) {
          if (whole.length < 64) break;
          throw unreadable(name, 'its frames cannot be decoded');
        }
        head = { width: Number(match[1]), height: Number(match[2]), start: match[0].length };
        if (head.width * head.height > DEFAULT_IMAGE_LIMITS.maxPixels)
          throw new CogVLM2Error(
            'image_too_large',
            `${name} has frames of ${head.width} x ${head.height} pixels.`,
          );
      }
      const end = head.start + 3 * head.width * head.height;
      if (sizeBytes < end) break;
      const whole = Buffer.concat(parts);
      yield { width: head.width, height: head.height, data: whole.subarray(head.start, end) };
      parts = [whole.subarray(end)];
      sizeBytes = whole.length - end;
      head = undefined;
      if (sizeBytes === 0) break;
    }
  }
}

/** A name that is never taken for an address or an option. */
function inputName(file: string): string {
  return `file:${path.resolve(file)}`;
}

interface Child {
  stdout: AsyncIterable<Buffer>;
  kill(): void;
  /** The first line that the program wrote about a failure; null when it succeeded. */
  ended: Promise<string | null>;
}

function start(
  program: 'ffmpeg' | 'ffprobe',
  args: readonly string[],
  signal: AbortSignal | undefined,
): Child {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
  const kill = () => void child.kill('SIGKILL');
  const timer = setTimeout(kill, timeoutMs);
  signal?.addEventListener('abort', kill, { once: true });
  let complaint = '';
  child.stderr.on('data', (data: Buffer) => {
    if (complaint.length < 2_000) complaint += data.toString('utf8');
  });
  const ended = new Promise<string | null>((resolve, reject) => {
    child.on('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'ENOENT'
          ? `Videos are read with ffmpeg, and there is no program ${program} on this machine. Install ffmpeg (apt-get install ffmpeg, brew install ffmpeg, winget install ffmpeg), or give a folder of frames.`
          : `${program} cannot be started: ${cause.code ?? cause.message}.`;
      reject(new CogVLM2Error('engine_unavailable', why, { cause }));
    });
    child.on('close', (code) => resolve(code === 0 ? null : complaint));
  }).finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
  });
  ended.catch(() => {}); // it is thrown where it is awaited
  return { stdout: child.stdout, kill, ended };
}

/** Runs ffprobe. @returns what it writes */
async function textOfProbe(args: readonly string[], { name, signal }: ReadOptions): Promise<string> {
  const child = start('ffprobe', args, signal);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of child.stdout) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes <= mostTextBytes) continue;
    child.kill();
    throw new CogVLM2Error('image_too_large', `${name} has too many frames.`);
  }
  const problem = await child.ended;
  signal?.throwIfAborted();
  if (problem !== null) throw unreadable(name, problem);
  return Buffer.concat(chunks).toString('utf8');
}

/** The error with the first line that ffmpeg wrote, without the file's path and ffmpeg's memory addresses. */
function unreadable(name: string, complaint: string): CogVLM2Error {
  if (/whitelist/i.test(complaint)) {
    return new CogVLM2Error(
      'invalid_image',
      `${name} is in a format that is not read: playlists, image sequences and streams are not. Give an MP4, WebM, MKV, AVI or another video file.`,
    );
  }
  const line = complaint
    .split('\n')
    .map((each) =>
      each
        .replace(/\[[^\]]*\]/g, '')
        .replace(/file:\S*(.*: )?/g, '')
        .trim(),
    )
    .find((each) => each !== '');
  return new CogVLM2Error('invalid_image', `${name} cannot be read as a video: ${line ?? 'it is damaged'}.`);
}
