/** The backend of a batch: a model in this process, or workers that take jobs from a queue (queue-backend.ts). */
import { CogVLM2Error } from '../errors.ts';
import type { CogVLM2 } from '../generate/cogvlm2.ts';
import type { GenerateOptions } from '../generate/types.ts';
import { ImageFile } from '../image/source.ts';
import type { EncodedImage } from '../model/encoded-image.ts';
import { readPage } from '../pdf/pdf.ts';
import type { Stage } from '../run/progress.ts';
import { kindOf } from '../video/video.ts';
import { type Answered, type Item, withWarnings } from './output.ts';

/**
 * One of: an image that was read; the path of an image, a PDF (with a page, counted from 1) or a video; a video as its path, its
 * bytes or its folder of frames.
 */
export type ImageInput =
  | ImageFile
  | { readonly path: string; readonly page: number | null }
  | { readonly video: string | Uint8Array };

export interface OpenOptions {
  /** Number of questions about the image. */
  readonly questions: number;
  readonly signal: AbortSignal;
  onStage?(stage: Stage): void;
}

export interface Backend {
  open(image: ImageInput, options: OpenOptions): Promise<OpenImage>;
}

/** The caller disposes it after the answers are written. */
export interface OpenImage extends AsyncDisposable {
  ask(item: Item, signal: AbortSignal): Promise<Answered>;
}

/** Answers with a model in this process. An image with several questions is encoded once. */
export class ModelBackend implements Backend {
  readonly #model: CogVLM2;
  readonly #options: GenerateOptions;

  constructor(model: CogVLM2, options: GenerateOptions) {
    this.#model = model;
    this.#options = options;
  }

  async open(image: ImageInput, options: OpenOptions): Promise<OpenImage> {
    const { questions, signal, onStage = () => {} } = options;
    const source = await read(image, signal);
    if (questions === 1) {
      return { ask: (item) => this.#ask(source, item, options), [Symbol.asyncDispose]: async () => {} };
    }
    const { template } = this.#options;
    const encoded = await this.#model.encodeImage(source, {
      ...(template && { template }),
      signal,
      onProgress: ({ stage, done, total }) => {
        if (stage === 'vision') onStage({ stage, done, total });
      },
    });
    // The first answer gets the time of the encoding.
    let { imageMs, visionMs } = encoded;
    return {
      ask: async (item) => {
        const answered = await this.#ask(encoded, item, options);
        const timings = { ...answered.timings, imageMs, visionMs };
        [imageMs, visionMs] = [0, 0];
        return { ...answered, timings };
      },
      [Symbol.asyncDispose]: async () => encoded.dispose(),
    };
  }

  async #ask(
    image: EncodedImage | ImageFile | string | Uint8Array,
    { question }: Item,
    { signal, onStage = () => {} }: OpenOptions,
  ): Promise<Answered> {
    const stream = this.#model.ask(image, question ?? '', { ...this.#options, signal });
    for await (const event of stream) {
      if (event.type === 'progress') {
        const { stage, done, total } = event.progress;
        if (stage === 'vision' || stage === 'prefill') onStage({ stage, done, total });
      }
      if (event.type !== 'done') continue;
      const { text: answer, finishReason, seed, usage, timings, warnings } = event.answer;
      if (finishReason === 'aborted') break;
      const { perTokenMs: _, ...stages } = timings;
      const answered = { answer, finishReason, seed, usage, timings: stages, model: this.#model.info.name };
      return withWarnings(answered, warnings);
    }
    throw new CogVLM2Error('aborted', 'Stopped.');
  }
}

/** The input of `CogVLM2.ask`: an image, or the path, bytes or folder of a video. */
async function read(image: ImageInput, signal: AbortSignal): Promise<ImageFile | string | Uint8Array> {
  if (image instanceof ImageFile) return image;
  if ('video' in image) return image.video;
  const { path, page } = image;
  if (page === null && (await kindOf(path)) === 'video') return path;
  return (await readPage(path, JSON.stringify(path), page ?? undefined, signal)).image;
}
