/** The messages of the queue, as JSON. Client and workers validate them. */

import { realpathSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { shorten } from '../messages.ts';
import { itemErrorCodes } from '../run/items.ts';
import { withOldName } from '../run/resume.ts';

/** Maximum size of an image in a job. */
export const MAX_INLINE_BYTES = 8 * 2 ** 20;

/** A job fails for good after this number of attempts that failed for another reason than its input. */
export const attempts = 3;

/** Longest path of an image, in characters. */
const pathLength = 4_096;

const base64Length = Math.ceil(MAX_INLINE_BYTES / 3) * 4;

const job = z.object({
  image: z.union([
    z.object({ base64: z.base64().max(base64Length) }),
    z.object({ path: z.string().min(1).max(pathLength), page: z.int().min(1).nullable() }),
    z.null(),
  ]),
  question: z.string(),
  options: z.strictObject({
    template: z.enum(['chat', 'vqa', 'base']).optional(),
    maxTokens: z.number().optional(),
    temperature: z.number().optional(),
    topK: z.number().optional(),
    topP: z.number().optional(),
    minP: z.number().optional(),
    repetitionPenalty: z.number().optional(),
    seed: z.number().optional(),
    stop: z.array(z.string()).optional(),
  }),
});

export const jobSchema = withOldName(job, 'image', 'picture');
export type Job = z.infer<typeof jobSchema>;

const count = z.number();

export const replySchema = z.union([
  z.object({
    answer: z.string(),
    finishReason: z.enum(['stop', 'length']),
    seed: z.number(),
    usage: z.object({
      promptTokens: count,
      imageTokens: count,
      cachedTokens: count,
      completionTokens: count,
    }),
    timings: z.object({
      /** Absent in replies of earlier versions. */
      queueMs: count.default(0),
      imageMs: count,
      visionMs: count,
      prefillMs: count,
      firstTokenMs: count,
      decodeMs: count,
      totalMs: count,
    }),
    model: z.string(),
    warnings: z.array(z.string()).readonly().optional(),
  }),
  /** The input caused the error, so another attempt would fail too. */
  z.object({ error: z.object({ code: z.enum(itemErrorCodes), message: z.string() }) }),
]);
export type Reply = z.infer<typeof replySchema>;

/** @throws CogVLM2Error the worker's error, if the input caused one */
export function answerIn(reply: Reply): Exclude<Reply, { error: unknown }> {
  if ('error' in reply) throw new CogVLM2Error(reply.error.code, reply.error.message);
  return reply;
}

/** The name of a model with LoRA adapters, for workers and clients: demo+receipts, or demo+receipts:0.5 with a factor. */
export function adaptedName(model: string, adapters: readonly { path: string; scale: number }[]): string {
  const names = adapters.map(({ path: folder, scale }) => {
    const name = adapterName(folder);
    return scale === 1 ? name : `${name}:${scale}`;
  });
  return [model, ...names].join('+');
}

/** The name of a LoRA adapter is the name of its folder. */
export function adapterName(folder: string): string {
  return path.basename(path.resolve(folder));
}

/** Each model has its own queue, so that another model never gets its questions. */
export function queueName(model: string): string {
  return `cogvlm2-${model.replaceAll(/[^\w.-]+/g, '-')}`;
}

// The image of a job: its bytes or a path. A worker reads files below one folder only, because anyone on the network may add jobs.

/** @throws CogVLM2Error invalid_value, file_not_found */
export function imageOf(
  image: NonNullable<Job['image']>,
  folder: string | undefined,
): Uint8Array | { path: string; page: number | null } {
  if ('base64' in image) return Buffer.from(image.base64, 'base64');
  if (folder === undefined) {
    throw new CogVLM2Error(
      'invalid_value',
      'The image is sent as a path, but this worker reads no files: start it with --shared FOLDER.',
    );
  }
  const place = realPath(image.path);
  const inside = path.relative(realPath(folder), place);
  if (inside.startsWith('..') || path.isAbsolute(inside)) {
    throw new CogVLM2Error(
      'invalid_value',
      `${shorten(image.path)} is not in ${folder}, the only folder that this worker reads.`,
    );
  }
  return { path: place, page: image.page };
}

function realPath(name: string): string {
  try {
    return realpathSync(name);
  } catch (cause) {
    throw new CogVLM2Error('file_not_found', `There is no file ${shorten(name)} on this worker.`, {
      cause,
    });
  }
}

/** @throws CogVLM2Error image_too_large */
export function inlineImage(bytes: Uint8Array): Job['image'] {
  checkInlineSize(bytes.byteLength, 'The image');
  return { base64: Buffer.from(bytes).toString('base64') };
}

/** @throws CogVLM2Error image_too_large */
export function checkInlineSize(sizeBytes: number, what: string): void {
  if (sizeBytes <= MAX_INLINE_BYTES) return;
  throw new CogVLM2Error(
    'image_too_large',
    `${what} has ${sizeBytes} bytes; the limit of a job is ${MAX_INLINE_BYTES}. Make it smaller, or use --by-path with a folder that the workers have too.`,
  );
}
