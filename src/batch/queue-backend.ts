/** A batch through a queue: the client side, and the worker side. */

import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { fsPath } from '../files/input-file.ts';
import type { CogVLM2 } from '../generate/cogvlm2.ts';
import type { GenerateOptions } from '../generate/types.ts';
import { isVideo } from '../image/formats.ts';
import { ImageFile, imageFile, readImageSource } from '../image/source.ts';
import type { QueueClient } from '../queue/client.ts';
import {
  adaptedName,
  answerIn,
  checkInlineSize,
  imageOf,
  inlineImage,
  type Job,
  MAX_INLINE_BYTES,
  type Reply,
} from '../queue/job.ts';
import { type WorkerOptions, workOnQueue } from '../queue/worker.ts';
import { type Backend, type ImageInput, ModelBackend, type OpenImage } from './backend.ts';
import { keyOf, withWarnings } from './output.ts';

/** Sends the questions to workers. A job leaves the queue after its answer was written. */
export class QueueBackend implements Backend {
  readonly #client: QueueClient;
  readonly #options: Job['options'];
  readonly #run: string;

  /** @param run equal for the same output file with the same settings, so that a resumed run finds its jobs */
  constructor(client: QueueClient, options: Job['options'], run: string) {
    this.#client = client;
    this.#options = options;
    this.#run = run;
  }

  async open(input: ImageInput): Promise<OpenImage> {
    const image = await jobImage(input);
    const warnings = input instanceof ImageFile ? input.warnings : [];
    const answered: string[] = [];
    return {
      ask: async (item, signal) => {
        const id = createHash('sha256')
          .update(`${this.#run}\0${keyOf(item)}`)
          .digest('hex');
        const job = { image, question: item.question ?? '', options: this.#options };
        const reply = await this.#client.ask(id, job, signal);
        answered.push(id);
        return withWarnings(answerIn(reply), warnings);
      },
      [Symbol.asyncDispose]: async () => {
        for (const id of answered) await this.#client.forget(id);
      },
    };
  }
}

async function jobImage(input: ImageInput): Promise<Job['image']> {
  if (input instanceof ImageFile) return inlineImage(input.bytes);
  if ('path' in input) return { ...input, path: realpathSync(input.path) };
  const { video } = input;
  if (typeof video !== 'string') return inlineImage(video);
  const found = await stat(fsPath(video)).catch(() => undefined);
  if (found?.isDirectory())
    throw new CogVLM2Error(
      'invalid_value',
      `${video} is a folder of frames. A folder cannot be sent to workers.`,
    );
  checkInlineSize(found?.size ?? 0, 'The video');
  // It reports a missing file, and one that changes while it is read. An absolute path is never taken for a data URL.
  return inlineImage(await readImageSource(path.resolve(video), { maxBytes: MAX_INLINE_BYTES }));
}

export interface WorkOptions extends Omit<WorkerOptions, 'model' | 'answer'> {
  /** The only folder from which images may be read. */
  readonly shared: string | undefined;
}

/** Answers jobs with a model in this process until `signal` is aborted. */
export function work(model: CogVLM2, { shared, ...options }: WorkOptions): Promise<void> {
  const answer = async (job: Job, signal: AbortSignal): Promise<Reply> => {
    if (job.image === null) throw new CogVLM2Error('invalid_value', 'The job has no image.');
    // Omit undefined fields, so that the library's defaults apply.
    const given: GenerateOptions = Object.fromEntries(
      Object.entries(job.options).filter(([, value]) => value !== undefined),
    );
    const backend = new ModelBackend(model, given);
    const found = imageOf(job.image, shared);
    const input =
      found instanceof Uint8Array
        ? isVideo(found)
          ? { video: found }
          : imageFile(found, 'The image')
        : found;
    await using image = await backend.open(input, { questions: 1, signal });
    const item = { idJson: 'null', input: '', page: null, pageCount: null, question: job.question };
    return image.ask(item, signal);
  };
  const { name, adapters } = model.info;
  return workOnQueue({ ...options, model: adaptedName(name, adapters), answer });
}
