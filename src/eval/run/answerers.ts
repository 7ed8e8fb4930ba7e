/** The systems that a run can ask: a local model, workers behind a queue, an OpenAI-compatible server. All get the same input. */

import { createHash } from 'node:crypto';
import { CogVLM2Error } from '../../errors.ts';
import type { CogVLM2 } from '../../generate/cogvlm2.ts';
import type { Progress } from '../../generate/types.ts';
import type { QueueClient } from '../../queue/client.ts';
import { adapterName, answerIn, inlineImage } from '../../queue/job.ts';
import type { Stage } from '../../run/progress.ts';
import type { Settings } from '../predictions/schema.ts';
import { strip } from '../python/values.ts';
import type { Reply } from './chat-reply.ts';
import type { Endpoint } from './endpoint.ts';
import { fingerprintOf } from './fingerprint.ts';
import { type ImageLimits, requestImage } from './request-image.ts';
import { type ImageFormula, imageFormulaOf, within } from './token-estimate.ts';

export interface Asked {
  readonly id: string;
  readonly prompt: string;
  readonly images: readonly Uint8Array[];
}

export interface Answer extends Reply {
  /** Number of images that were encoded again to fit a server's limits. */
  readonly reencodedImages?: number;
}

/** Only a model in this process calls `onStage`. */
export type Ask = (asked: Asked, signal: AbortSignal, onStage?: (stage: Stage) => void) => Promise<Answer>;

/** A system that answers, with its description for the header of a predictions file. */
export interface Answerer {
  readonly model: Settings['model'];
  readonly device: string | null;
  /** The chat template that the answerer uses when this one is requested. */
  templateOf(requested: 'chat' | 'vqa' | 'base'): Settings['template'];
  /** For a server, whose tokens are estimated before the run. */
  readonly imageTokens?: ImageFormula;
  asker(settings: Settings): Ask;
}

export async function modelAnswerer(model: CogVLM2, compute: 'auto' | 'f32'): Promise<Answerer> {
  const { name, types, path: location, device } = model.info;
  const adapters = model.info.adapters.map((adapter) => ({
    name: adapterName(adapter.path),
    scale: adapter.scale,
    fingerprint: adapter.fingerprint,
  }));
  const described = {
    kind: 'checkpoint' as const,
    name,
    types,
    ...(await fingerprintOf([location])),
    compute,
    ...(adapters.length > 0 && { adapters }),
  };
  return {
    model: described,
    device,
    templateOf: (requested) => requested,
    asker: (settings) => modelAsker(model, settings),
  };
}

export function endpointAnswerer(endpoint: Endpoint, { maxBytes, maxSide }: ImageLimits = {}): Answerer {
  const { model: name, url } = endpoint;
  const limits = { ...(maxBytes !== undefined && { maxBytes }), ...(maxSide !== undefined && { maxSide }) };
  const formula = imageFormulaOf(name);
  return {
    model: {
      kind: 'endpoint',
      name,
      url,
      ...(Object.keys(limits).length > 0 && { imageLimits: limits }),
    },
    device: null,
    templateOf: () => null,
    imageTokens: {
      name: formula.name,
      tokens: (width, height) => formula.tokens(...within(width, height, maxSide)),
    },
    asker: (settings) => endpointAsker(endpoint, limits, settings),
  };
}

/** The options of one question for a model or a worker. Settings that are null are left out, so that its defaults apply. */
function optionsOf({ template, temperature, maxTokens, topK, topP, seed }: Settings, id: string) {
  return {
    temperature,
    ...(template !== null && { template }),
    ...(maxTokens !== null && { maxTokens }),
    ...(topK !== null && { topK }),
    ...(topP !== null && { topP }),
    ...(seed !== null && { seed: seedOf(seed, id) }),
  };
}

function modelAsker(model: CogVLM2, settings: Settings): Ask {
  return async ({ id, prompt, images }, signal, onStage = () => {}) => {
    const onProgress = ({ stage, done, total }: Progress) => {
      if (stage === 'vision' || stage === 'prefill') onStage({ stage, done, total });
    };
    for await (const event of model.ask(images[0]!, prompt, { ...optionsOf(settings, id), signal })) {
      if (event.type === 'progress') onProgress(event.progress);
      if (event.type !== 'done') continue;
      const { text, finishReason, usage } = event.answer;
      if (finishReason === 'aborted') break;
      return { text: answerOf(text), finishReason, completionTokens: usage.completionTokens };
    }
    throw new CogVLM2Error('aborted', 'Stopped.');
  };
}

function endpointAsker(endpoint: Endpoint, limits: ImageLimits, settings: Settings): Ask {
  return async ({ id, prompt, images }, signal) => {
    const seed = settings.seed === null ? null : seedOf(settings.seed, id);
    const sent = await Promise.all(images.map((bytes) => requestImage(bytes, limits)));
    const parts = sent.map(({ format, bytes }) => ({
      type: 'image_url' as const,
      image_url: { url: `data:image/${format};base64,${Buffer.from(bytes).toString('base64')}` },
    }));
    const reply = await endpoint.chat(
      [...parts, { type: 'text', text: prompt }],
      { ...settings, seed },
      signal,
    );
    const reencodedImages = sent.filter(({ isReencoded }) => isReencoded).length;
    return { ...reply, text: answerOf(reply.text), reencodedImages };
  };
}

/** The answer in a generated text, as VLMEvalKit extracts it for CogVLM2. */
export function answerOf(text: string): string {
  return strip(text.split('<|end_of_text|>')[0]!);
}

/** A seed of the question alone, so that an answer does not depend on the other questions of the run. */
export function seedOf(seed: number, id: string): number {
  return createHash('sha256').update(`${seed} ${id}`).digest().readUIntBE(0, 4);
}

export interface QueueOfWorkers {
  readonly client: QueueClient;
  readonly model: string;
  /** The address without a password. */
  readonly shownAddress: string;
}

export function queueAnswerer({ client, model, shownAddress }: QueueOfWorkers): Answerer {
  return {
    model: { kind: 'endpoint', name: model, url: shownAddress },
    device: null,
    templateOf: (requested) => requested,
    asker:
      (settings) =>
      async ({ id, prompt, images }, signal) => {
        const job = {
          image: images[0] === undefined ? null : inlineImage(images[0]),
          question: prompt,
          options: optionsOf(settings, id),
        };
        const jobId = createHash('sha256')
          .update(JSON.stringify([settings, id, job]))
          .digest('hex');
        const reply = await client.ask(jobId, job, signal);
        await client.forget(jobId);
        const { answer, finishReason, usage } = answerIn(reply);
        return { text: answerOf(answer), finishReason, completionTokens: usage.completionTokens };
      },
  };
}
