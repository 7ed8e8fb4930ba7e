/** A video as the model sees it: some of its frames, in order. */
import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { readDataUrl } from '../image/data-url.ts';
import { decodeImage, type RgbImage } from '../image/decode.ts';
import { imageFileName, isVideo } from '../image/formats.ts';
import { type ImageSource, readImage } from '../image/source.ts';
import type { PromptTemplate } from '../text/prompt.ts';
import { decodeFrames, probeVideo } from './ffmpeg.ts';
import { framePixels } from './frame-pixels.ts';
import { framesBySecond, framesBySpacing, mostFrames, spacedSeconds } from './sampling.ts';

/** A frame and the second that it is of. */
export interface TimedFrame {
  image: ImageSource;
  second: number;
}

/** An image, the path or the bytes of a video, a folder of frames, or frames with their seconds. */
export type VisualSource = ImageSource | readonly TimedFrame[];

export interface Video {
  /** Of the frames, [frames, 3, size, size]. */
  pixels: Float32Array<ArrayBuffer>;
  /** The text after each frame in the prompt: its second, or ''. */
  frameTexts: readonly string[];
  /** Of the first frame, upright, before it was resized. */
  width: number;
  height: number;
  /** The same frames with the same texts have the same key. */
  contentKey: string;
  warnings: readonly string[];
}

export interface VideoOptions {
  /** Side of the square that the model reads, in pixels. */
  size: number;
  /** `chat`: one frame a second, with its number. `base` and `vqa`: 24 evenly spaced frames of the first minute, without numbers. */
  template: PromptTemplate;
  signal?: AbortSignal | undefined;
}

/**
 * From a video file, a folder of frames (one a second, in the order of their names), frames with their seconds, or one image.
 * @throws CogVLM2Error `file_not_found`, `invalid_image`, `image_too_large`, `invalid_value`, `engine_unavailable`, `aborted`
 */
export async function readVideo(source: VisualSource, options: VideoOptions): Promise<Video> {
  if (isFrames(source)) return fromImages(source, options, []);
  if (typeof source === 'string' && !/^data:/i.test(source)) {
    const kind = await kindOf(source);
    if (kind === 'folder') return fromFolder(source, options);
    if (kind === 'video') return fromFile(source, JSON.stringify(path.basename(source)), options);
    return fromImages([{ image: source, second: 0 }], options, []);
  }
  const bytes = typeof source === 'string' ? readDataUrl(source, mostBytes) : source;
  if (bytes instanceof Uint8Array && isVideo(bytes)) return fromBytes(bytes, options);
  return fromImages([{ image: bytes, second: 0 }], options, []);
}

type Size = Pick<RgbImage, 'width' | 'height'>;

/** Largest video in memory; a file may be larger. */
const mostBytes = 2 ** 28;

/** ffmpeg seeks in a video, so its bytes are written to a temporary file that only this user can read. */
async function fromBytes(bytes: Uint8Array, options: VideoOptions): Promise<Video> {
  if (bytes.byteLength > mostBytes) {
    throw new CogVLM2Error(
      'image_too_large',
      `The video has ${bytes.byteLength} bytes; the limit for a video in memory is ${mostBytes}. Give the path of a file.`,
    );
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'cogvlm2-video-'));
  try {
    const file = path.join(folder, 'video');
    await writeFile(file, bytes, { mode: 0o600 });
    return await fromFile(file, 'The video', options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function isFrames(source: VisualSource): source is readonly TimedFrame[] {
  return Array.isArray(source);
}

/** What a path leads to; undefined for anything else, which is read as an image. */
export async function kindOf(source: string): Promise<'folder' | 'video' | undefined> {
  try {
    await using file = await open(source, 'r');
    if ((await file.stat()).isDirectory()) return 'folder';
    const head = Buffer.alloc(4096);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return isVideo(head.subarray(0, bytesRead)) ? 'video' : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR' ? 'folder' : undefined;
  }
}

async function fromFile(
  file: string,
  name: string,
  { size, template, signal }: VideoOptions,
): Promise<Video> {
  const bySecond = template === 'chat';
  const seconds = bySecond ? mostFrames + 2 : spacedSeconds + 2;
  const facts = await probeVideo(file, seconds, { name, signal });
  const { starts, framesPerSecond, durationSeconds } = facts;
  const numbers = bySecond ? framesBySecond(starts) : framesBySpacing(starts.length, framesPerSecond);
  const wanted = [...new Set(numbers)].sort((a, b) => a - b);
  const pixels = new Map<number, Float32Array>();
  let first: Size | undefined;
  for await (const frame of decodeFrames(file, facts.stream, wanted, { name, signal })) {
    const number = wanted[pixels.size];
    if (number === undefined) break;
    first ??= { width: frame.width, height: frame.height };
    pixels.set(number, framePixels(frame, size));
    await new Promise(setImmediate);
  }
  const frames = numbers.flatMap((number, i) => {
    const data = pixels.get(number);
    return data ? [{ data, text: bySecond ? String(i) : '' }] : [];
  });
  const limit = bySecond ? mostFrames : spacedSeconds;
  const isLonger = durationSeconds !== null && durationSeconds > limit + 1;
  const warnings = [
    ...(frames.length < numbers.length
      ? [`${name} is damaged: ${frames.length} of ${numbers.length} frames could be decoded.`]
      : []),
    ...(isLonger ? [`The model sees the first ${limit} of ${Math.round(durationSeconds)} seconds.`] : []),
  ];
  return join(frames, first, warnings);
}

async function fromFolder(folder: string, options: VideoOptions): Promise<Video> {
  const names = (await readdir(folder)).filter((name) => imageFileName.test(name));
  names.sort(new Intl.Collator('en', { numeric: true }).compare);
  if (names.length === 0) throw new CogVLM2Error('invalid_image', `The folder ${folder} has no images.`);
  const warnings =
    names.length > mostFrames
      ? [`The model sees the first ${mostFrames} of ${names.length} frames of the folder.`]
      : [];
  const frames = names
    .slice(0, mostFrames)
    .map((name, second) => ({ image: path.join(folder, name), second }));
  return fromImages(frames, options, warnings);
}

async function fromImages(
  frames: readonly TimedFrame[],
  { size, template, signal }: VideoOptions,
  warnings: readonly string[],
): Promise<Video> {
  if (frames.length === 0 || frames.length > mostFrames) {
    throw new CogVLM2Error('invalid_value', `A video has 1 to ${mostFrames} frames; got ${frames.length}.`);
  }
  const read: { data: Float32Array; text: string }[] = [];
  const more: string[] = [];
  let first: Size | undefined;
  for (const { image, second } of frames) {
    if (!(Number.isFinite(second) && second >= 0 && second < 1000))
      throw new CogVLM2Error('invalid_value', `The second of a frame is ${second}; it must be 0 to 999.`);
    const file = await readImage(image, signal ? { signal } : {});
    const decoded = await decodeImage(file.bytes);
    first ??= { width: decoded.width, height: decoded.height };
    more.push(...file.warnings, ...decoded.warnings);
    read.push({
      data: framePixels(decoded, size),
      text: template === 'chat' ? String(Math.round(second)) : '',
    });
  }
  return join(read, first, [...warnings, ...new Set(more)]);
}

function join(
  frames: readonly { data: Float32Array; text: string }[],
  first: Size | undefined,
  warnings: readonly string[],
): Video {
  const size = frames[0]?.data.length ?? 0;
  const pixels = new Float32Array(size * frames.length);
  for (const [i, { data }] of frames.entries()) pixels.set(data, i * size);
  const frameTexts = frames.map(({ text }) => text);
  const contentKey = createHash('sha256')
    .update(JSON.stringify(frameTexts))
    .update(new Uint8Array(pixels.buffer))
    .digest('hex');
  return { pixels, frameTexts, width: first?.width ?? 0, height: first?.height ?? 0, contentKey, warnings };
}
