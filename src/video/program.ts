/**
 * Runs ffprobe and ffmpeg of this machine, as child processes without a shell. They may open only local files, and only
 * container formats that cannot refer to other files: no playlists, no image sequences, no addresses.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { CogVLM2Error } from '../errors.ts';
import { DEFAULT_IMAGE_LIMITS } from '../image/formats.ts';
import { abortedError, throwIfAborted } from '../image/thread.ts';

export interface VideoLimits {
  /** Largest number of pixels of a frame. */
  readonly maxPixels: number;
  /** Time limit for each program. */
  readonly timeoutMs: number;
}

/** In 300 s, 24 s of 8K video can be decoded at five frames per second. */
export const DEFAULT_VIDEO_LIMITS: VideoLimits = {
  maxPixels: DEFAULT_IMAGE_LIMITS.maxPixels,
  timeoutMs: 300_000,
};

export interface ProgramOptions extends VideoLimits {
  /** The video's name in messages. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

/** ffmpeg's names of the containers that `isVideo` recognizes. A file cannot select another one by its content. */
const formats = 'mov,matroska,avi,mpegts,mpeg,flv,asf,ogg';
/** Limit for stored error messages, in bytes. */
const mostMessageBytes = 4_000;

/** Options of both programs, to be placed before the input. Frames above the limit are refused before their memory is allocated. */
export function inputOptions({ maxPixels }: VideoLimits): string[] {
  const safe = ['-protocol_whitelist', 'file', '-format_whitelist', formats];
  return [...safe, '-max_pixels', String(maxPixels)];
}

/** The file's name in a form that cannot be an address or an option. */
export function inputName(file: string): string {
  return `file:${path.resolve(file)}`;
}

/** A running program. `dispose` kills it. */
export class Program implements Disposable {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #options: ProgramOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = () => this.#kill(abortedError(this.#options.signal));
  /** Rejected if the program was killed or cannot be started. */
  readonly #exit: Promise<number | null>;
  #fail: (error: CogVLM2Error) => void = () => {};
  #messages = '';

  /**
   * @param onLine called with each line of the program's standard error
   * @throws CogVLM2Error aborted
   */
  constructor(
    program: 'ffmpeg' | 'ffprobe',
    args: readonly string[],
    options: ProgramOptions,
    onLine: (line: string) => void = () => {},
  ) {
    const { name, signal, timeoutMs } = options;
    throwIfAborted(signal);
    this.#options = options;
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    this.#child = child;
    // `#kill` destroys them with its error, and rejects `#exit` with the same error.
    child.stdout.on('error', () => {});
    child.stderr.on('error', () => {});
    this.#exit = new Promise((resolve, reject) => {
      this.#fail = reject;
      child.on('error', (cause: NodeJS.ErrnoException) => this.#kill(unavailable(program, cause)));
      child.on('close', resolve);
    });
    this.#exit.catch(() => {}); // `end` throws it
    let rest = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = (lines.pop() ?? '').slice(-mostMessageBytes);
      for (const line of lines) {
        onLine(line);
        if (this.#messages.length < mostMessageBytes && !/\[(?:info|warning)\]/.test(line))
          this.#messages += `${line}\n`;
      }
    });
    this.#timer = setTimeout(() => this.#kill(tooSlow(name, timeoutMs)), timeoutMs);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The standard output. @throws CogVLM2Error aborted, invalid_image (too slow), engine_unavailable (no such program) */
  get output(): AsyncIterable<Buffer> {
    return this.#child.stdout;
  }

  /** Waits until the program has ended. @returns its exit status and its error messages @throws CogVLM2Error as `output` */
  async end(): Promise<{ status: number | null; messages: string }> {
    const status = await this.#exit;
    return { status, messages: this.#messages };
  }

  /** A child of the program can keep the pipes open, so this process closes its ends. */
  #kill(error?: CogVLM2Error): void {
    this.#child.kill('SIGKILL');
    this.#child.stdout.destroy(error);
    this.#child.stderr.destroy();
    if (error) this.#fail(error);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#kill();
  }
}

/**
 * The lines of a program's output while they arrive, at most `maxBytes`. So a long output is read in small steps.
 * @throws CogVLM2Error as `Program`, invalid_image if the program fails, image_too_large
 */
export async function* linesOf(
  program: Program,
  maxBytes: number,
  options: ProgramOptions,
): AsyncGenerator<string> {
  let sizeBytes = 0;
  let rest = '';
  for await (const chunk of program.output) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes)
      throw new CogVLM2Error('image_too_large', `${options.name} has too many streams or frames.`);
    // The output is ASCII.
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
  const { status, messages } = await program.end();
  if (status !== 0) throw unreadable(messages, options);
}

/** The error for the messages of a program, without file paths and ffmpeg's memory addresses. */
export function unreadable(messages: string, { name, maxPixels }: ProgramOptions): CogVLM2Error {
  const size = /Picture size (\d+)x(\d+) (?:is invalid|exceeds)/.exec(messages);
  if (size) return tooManyPixels(name, Number(size[1]), Number(size[2]), maxPixels);
  if (/whitelist/i.test(messages)) {
    return new CogVLM2Error(
      'invalid_image',
      `${name} is in a format that is not supported, such as a playlist, an image sequence or a stream. Give an MP4, WebM, MKV, AVI or another video file.`,
    );
  }
  const line = messages
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

export function tooManyPixels(name: string, width: number, height: number, maxPixels: number): CogVLM2Error {
  return new CogVLM2Error(
    'image_too_large',
    `${name} has frames of ${width} x ${height} pixels; the limit is ${maxPixels} pixels. Make them smaller.`,
  );
}

function tooSlow(name: string, timeoutMs: number): CogVLM2Error {
  return new CogVLM2Error(
    'invalid_image',
    `${name} took longer than ${timeoutMs / 1000} seconds to read. Cut it, or make its frames smaller.`,
  );
}

function unavailable(program: string, cause: NodeJS.ErrnoException): CogVLM2Error {
  const why =
    cause.code === 'ENOENT'
      ? `Videos are read with ffmpeg, and there is no program ${program} on this machine. Install ffmpeg (apt-get install ffmpeg, brew install ffmpeg, winget install ffmpeg), or give the frames as images.`
      : `${program} cannot be started: ${cause.code ?? cause.message}.`;
  return new CogVLM2Error('engine_unavailable', why, { cause });
}

let isFound: Promise<boolean> | undefined;

/** Whether ffmpeg and ffprobe can be started. Only a positive result is stored. */
export async function hasFfmpeg(): Promise<boolean> {
  isFound ??= Promise.all(['ffmpeg', 'ffprobe'].map(starts)).then((found) => found.every(Boolean));
  const found = await isFound;
  if (!found) isFound = undefined;
  return found;
}

function starts(program: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, ['-version'], { stdio: 'ignore', windowsHide: true, timeout: 10_000 });
    child.on('error', () => resolve(false)).on('close', (status) => resolve(status === 0));
  });
}
