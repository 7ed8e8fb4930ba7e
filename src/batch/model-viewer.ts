/** Answers with a model in this process; a picture is encoded once for all its questions. */
import { CogVLM2Error } from '../errors.ts';
import type { CogVLM2 } from '../generate/cogvlm2.ts';
import type { GenerateOptions } from '../generate/types.ts';
import { readPage } from '../image/page.ts';
import type { EncodedImage } from '../model/encoded-image.ts';
import type { Answered, Item } from './line.ts';
import type { Looking, Picture, Viewer } from './viewer.ts';

export class ModelViewer implements Viewer {
  readonly #model: CogVLM2;
  readonly #options: GenerateOptions;

  constructor(model: CogVLM2, options: GenerateOptions) {
    this.#model = model;
    this.#options = options;
  }

  async look(picture: Picture, questions: number, signal: AbortSignal): Promise<Looking> {
    const bytes = picture instanceof Uint8Array ? picture : await read(picture.path, picture.page, signal);
    if (questions === 1) {
      return { ask: (item) => this.#ask(bytes, item, signal), [Symbol.asyncDispose]: async () => {} };
    }
    const image = await this.#model.encodeImage(bytes, { signal });
    // The first answer's time has that of the encoding in it.
    let { imageMs, visionMs } = image;
    return {
      ask: async (item) => {
        const answered = await this.#ask(image, item, signal);
        const timings = { ...answered.timings, imageMs, visionMs };
        [imageMs, visionMs] = [0, 0];
        return { ...answered, timings };
      },
      [Symbol.asyncDispose]: async () => image.dispose(),
    };
  }

  async #ask(image: EncodedImage | Uint8Array, { question }: Item, signal: AbortSignal): Promise<Answered> {
    const stream = this.#model.ask(image, question ?? '', { ...this.#options, signal });
    const { text: answer, finishReason, seed, usage, timings } = await stream.result();
    if (finishReason === 'aborted') throw new CogVLM2Error('aborted', 'Stopped.');
    const { perTokenMs: _, ...stages } = timings;
    return { answer, finishReason, seed, usage, timings: stages, model: this.#model.info.name };
  }
}

async function read(path: string, page: number | null, signal: AbortSignal): Promise<Uint8Array> {
  return (await readPage(path, JSON.stringify(path), page ?? undefined, signal)).bytes;
}
