/** Reads a video for the model: some of its frames, in order. */
import { open, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { fsPath, readFlags } from '../files/input-file.ts';
import { temporaryFolder } from '../files/temporary-folder.ts';
import { readDataUrlInSteps } from '../image/data-url.ts';
import type { RgbImage } from '../image/decode.ts';
import { imageFileName, isVideo, readableFormats, sniffFormat, unreadableImage } from '../image/formats.ts';
import { imageTimeoutMs, inSharedMemory } from '../image/preprocess.ts';
import { ImageFile, type ImageSource, imageFile, readImageSource, sha256InSteps } from '../image/source.ts';
import { SharedThread, throwIfAborted } from '../image/thread.ts';
import { Slots } from '../run/slots.ts';
import type { PromptTemplate } from '../text/prompt.ts';
import { decodeFrames } from './decode-frames.ts';
import type { FrameReply, FrameRequest } from './frame-thread.ts';
import { frameTimes, probeVideo } from './probe.ts';
import { DEFAULT_VIDEO_LIMITS, type VideoLimits } from './program.ts';
import { framesBySecond, framesBySpacing, mostFrames, spacedSeconds } from './sampling.ts';

/** A frame and its time in the video, in seconds. */
export interface TimedFrame {
  image: ImageSource;
  second: number;
}

/** An image, the path or the bytes of a video, a folder of frames, frames with their seconds, or a video that was already read. */
export type VisualSource = ImageSource | readonly TimedFrame[] | Video;

export interface Video {
  /** [frames, 3, size, size] */
  pixels: Float32Array<ArrayBuffer>;
  /** For each frame, the text that follows it in the prompt: its second, or ''. */
  frameTexts: readonly string[];
  /** Size of the first frame, upright, before it was resized. */
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
  limits?: Partial<VideoLimits>;
  signal?: AbortSignal | undefined;
}

/** Limit for a video that is given as bytes; a file may be larger. */
export const mostVideoBytes = 2 ** 28;
/** The formats that are read, for messages. */
export const videoFormats = 'MP4, MOV, WebM, MKV, AVI, MPEG, FLV, WMV and Ogg videos';
const readable = `${videoFormats}, and ${readableFormats} images,`;

/**
 * Reads a video file, a folder of frames (one per second, in the order of their names), frames with their seconds, or one image.
 * @throws CogVLM2Error `file_not_found`, `invalid_image`, `image_too_large`, `invalid_value`, `engine_unavailable`, `aborted`
 */
export async function readVideo(source: VisualSource, options: VideoOptions): Promise<Video> {
  if (isReadVideo(source)) return source;
  if (isFrames(source)) return fromImages(source, options, []);
  if (typeof source === 'string' && !/^data:/i.test(source)) {
    const kind = await kindOf(source);
    const name = JSON.stringify(path.basename(source));
    if (kind === 'folder') return fromFolder(source, options);
    if (kind === 'video') return fromNamedFile(source, name, options);
    return fromImages([{ image: source, second: 0 }], options, [], name);
  }
  const bytes = typeof source === 'string' ? await readDataUrlInSteps(source, mostVideoBytes) : source;
  if (bytes instanceof Uint8Array && isVideo(bytes)) return fromBytes(bytes, options);
  return fromImages([{ image: bytes, second: 0 }], options, [], 'The video');
}

export function isFrames(source: VisualSource): source is readonly TimedFrame[] {
  return Array.isArray(source);
}

export function isReadVideo(source: VisualSource): source is Video {
  return typeof source === 'object' && 'frameTexts' in source;
}

/** Whether a path is a folder or a video file; undefined for anything else, which is read as an image. */
export async function kindOf(source: string): Promise<'folder' | 'video' | undefined> {
  try {
    await using file = await open(fsPath(source), readFlags);
    const stat = await file.stat();
    if (stat.isDirectory()) return 'folder';
    if (!stat.isFile()) return undefined;
    const head = Buffer.alloc(4096);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return isVideo(head.subarray(0, bytesRead)) ? 'video' : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR' ? 'folder' : undefined;
  }
}

/** ffmpeg seeks in a video, so its bytes are written to a temporary file that only this user can read. */
async function fromBytes(bytes: Uint8Array, options: VideoOptions): Promise<Video> {
  if (bytes.byteLength > mostVideoBytes) {
    throw new CogVLM2Error(
      'image_too_large',
      `The video has ${bytes.byteLength} bytes; the limit for a video in memory is ${mostVideoBytes}. Give the path of a file.`,
    );
  }
  await using folder = await temporaryFolder('video');
  const file = path.join(folder.path, 'video');
  await writeFile(file, bytes, { mode: 0o600 });
  return await fromFile(file, 'The video', options);
}

/** The programs accept only UTF-8 names. A file with another name is read through a link. */
async function fromNamedFile(file: string, name: string, options: VideoOptions): Promise<Video> {
  const target = fsPath(path.resolve(file));
  if (typeof target === 'string') return fromFile(target, name, options);
  await using folder = await temporaryFolder('video');
  const link = path.join(folder.path, 'video');
  await symlink(target, link);
  return await fromFile(link, name, options);
}

/** Videos that are decoded at the same time: each needs the memory and the threads of a decoder. */
const decoders = new Slots(2);

async function fromFile(file: string, name: string, options: VideoOptions): Promise<Video> {
  const { size, template, limits, signal } = options;
  using _ = await decoders.take(signal).catch((reason: unknown) => {
    throwIfAborted(signal);
    throw reason;
  });
  const bySecond = template === 'chat';
  const program = { ...DEFAULT_VIDEO_LIMITS, ...limits, name, signal };
  const { stream, framesPerSecond, durationSeconds } = await probeVideo(file, program);
  const rate = framesPerSecond ?? 30;
  const span = bySecond
    ? { frames: Math.ceil((mostFrames + 1) * rate), seconds: mostFrames + 1 }
    : { frames: Math.ceil(spacedSeconds * rate), seconds: 0 };
  const { starts, origin, cutAfterSeconds } = await frameTimes(file, stream, span, program);
  const numbers = bySecond ? framesBySecond(starts) : framesBySpacing(starts.length, rate);
  const wanted = [...new Set(numbers)].sort((a, b) => a - b);
  const decoded: FrameReply[] = [];
  const onFrame = async (frame: RgbImage) => {
    const transfer = [frame.data.buffer as ArrayBuffer];
    decoded.push(await thread.ask({ frame, size, limits: {} }, threadOptions(name, options), transfer));
  };
  const times = { starts: wanted.map((number) => starts[number] ?? 0), origin };
  const found = await decodeFrames(file, stream, times, onFrame, program);
  const frames = numbers.flatMap((number, i) => {
    const frame = decoded[found[wanted.indexOf(number)] ?? -1];
    return frame ? [{ data: frame.pixels, text: bySecond ? String(i) : '' }] : [];
  });
  if (frames.length === 0)
    throw new CogVLM2Error('invalid_image', `${name} is damaged: none of its frames could be decoded.`);
  const limit = bySecond ? mostFrames : spacedSeconds;
  const isLonger = durationSeconds !== null && durationSeconds > limit + 1;
  const warnings = [
    ...(cutAfterSeconds !== null
      ? [`${name} is cut short: it ends after ${shownSeconds(cutAfterSeconds, durationSeconds)}.`]
      : []),
    ...(frames.length < numbers.length
      ? [`${name} is damaged: ${frames.length} of ${numbers.length} frames could be decoded.`]
      : []),
    ...(isLonger ? [`The model sees the first ${limit} of ${Math.round(durationSeconds)} seconds.`] : []),
  ];
  return join(frames, decoded[0], warnings);
}

function shownSeconds(seconds: number, of: number | null): string {
  const rounded = Math.round(seconds * 10) / 10;
  return of === null ? `${rounded} seconds` : `${rounded} of ${Math.round(of * 10) / 10} seconds`;
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

/** @param name the name of a single image in messages */
async function fromImages(
  frames: readonly TimedFrame[],
  options: VideoOptions,
  warnings: readonly string[],
  name?: string,
): Promise<Video> {
  const { size, template, limits, signal } = options;
  if (frames.length === 0 || frames.length > mostFrames) {
    throw new CogVLM2Error('invalid_value', `A video has 1 to ${mostFrames} frames; got ${frames.length}.`);
  }
  const read: { data: Float32Array; text: string }[] = [];
  const more: string[] = [];
  let first: FrameReply | undefined;
  for (const [i, { image, second }] of frames.entries()) {
    if (!(Number.isFinite(second) && second >= 0 && second < 1000))
      throw new CogVLM2Error('invalid_value', `The second of a frame is ${second}; it must be 0 to 999.`);
    const subject = name ?? `Frame ${i + 1}`;
    const file = await readFrame(image, subject, signal);
    const maxPixels = limits?.maxPixels === undefined ? {} : { maxPixels: limits.maxPixels };
    const request = { frame: await inSharedMemory(file.bytes), size, limits: maxPixels };
    const frame = await thread.ask(request, threadOptions(subject, options));
    first ??= frame;
    more.push(...file.warnings, ...frame.warnings);
    read.push({ data: frame.pixels, text: template === 'chat' ? String(Math.round(second)) : '' });
  }
  return join(read, first, [...warnings, ...new Set(more)]);
}

async function readFrame(
  source: ImageSource,
  name: string,
  signal: AbortSignal | undefined,
): Promise<ImageFile> {
  if (source instanceof ImageFile) return source;
  const bytes = await readImageSource(source, signal ? { signal } : {});
  if (sniffFormat(bytes) === null) throw unreadableImage(bytes, name, readable);
  return imageFile(bytes, name);
}

const thread = new SharedThread<FrameRequest, FrameReply>(new URL('./frame-thread', import.meta.url));

function threadOptions(subject: string, { signal }: VideoOptions) {
  return { signal, timeoutMs: imageTimeoutMs, subject };
}

async function join(
  frames: readonly { data: Float32Array; text: string }[],
  first: Pick<Video, 'width' | 'height'> | undefined,
  warnings: readonly string[],
): Promise<Video> {
  const size = frames[0]?.data.length ?? 0;
  const pixels = new Float32Array(size * frames.length);
  for (const [i, { data }] of frames.entries()) pixels.set(data, i * size);
  const frameTexts = frames.map(({ text }) => text);
  const digest = await sha256InSteps(Buffer.from(JSON.stringify(frameTexts)), new Uint8Array(pixels.buffer));
  const contentKey = digest.toString('hex');
  return { pixels, frameTexts, width: first?.width ?? 0, height: first?.height ?? 0, contentKey, warnings };
}
