/** Who is asked: a model of ours, or any OpenAI-compatible server. Both are shown the same pictures and texts. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import type { CogVLM2 } from '../generate/cogvlm2.ts';
import type { GenerateOptions, Progress } from '../generate/types.ts';
import { decodeImage } from '../image/decode.ts';
import { encodePng } from '../image/encode.ts';
import { sniffFormat, unreadableImage } from '../image/sniff.ts';
import type { Stage } from '../run/run-progress.ts';
import { EncodedPictures } from './encoded-pictures.ts';
import type { Endpoint, Reply } from './endpoint.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Settings } from './prediction.ts';
import { strip } from './python/whitespace.ts';

export interface Asked {
  readonly id: string;
  readonly prompt: string;
  readonly pictures: readonly Uint8Array[];
}

/** `onStage` is called by a model in this process only. */
export type Ask = (asked: Asked, signal: AbortSignal, onStage?: (stage: Stage) => void) => Promise<Reply>;

/** Someone who can be asked, as the header of a predictions file describes them. */
export interface Answerer {
  readonly model: Settings['model'];
  readonly device: string | null;
  /** The template that the answerer is asked by, of the one that was wished for. */
  templateOf(wished: 'chat' | 'vqa' | 'base'): Settings['template'];
  asker(settings: Settings): Ask;
}

export async function modelAnswerer(model: CogVLM2, compute: 'auto' | 'f32'): Promise<Answerer> {
  const { name, types, path: location, device } = model.info;
  const adapters = model.info.adapters.map((adapter) => ({
    name: path.basename(path.resolve(adapter.path)),
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
    templateOf: (wished) => wished,
    asker: (settings) => modelAsker(model, settings),
  };
}

export function endpointAnswerer(endpoint: Endpoint): Answerer {
  const { model: name, url } = endpoint;
  return {
    model: { kind: 'endpoint', name, url },
    device: null,
    templateOf: () => null,
    asker: (settings) => endpointAsker(endpoint, settings),
  };
}

/** Beside those in use; one of the 19 B model is 38 MB. */
const keptPictures = 4;

function modelAsker(model: CogVLM2, settings: Settings): Ask {
  const encoded = new EncodedPictures(model, keptPictures);
  return async ({ id, prompt, pictures }, signal, onStage = () => {}) => {
    const options: GenerateOptions = {
      signal,
      temperature: settings.temperature,
      template: settings.template ?? 'chat',
      ...(settings.maxTokens !== null && { maxTokens: settings.maxTokens }),
      ...(settings.topK !== null && { topK: settings.topK }),
      ...(settings.topP !== null && { topP: settings.topP }),
      ...(settings.seed !== null && { seed: seedOf(settings.seed, id) }),
    };
    const onProgress = ({ stage, done, total }: Progress) => {
      if (stage === 'vision' || stage === 'prefill') onStage({ stage, done, total });
    };
    const { text, finishReason, usage } = await encoded.use(
      pictures[0]!,
      { signal, onProgress },
      async (image) => {
        for await (const event of model.ask(image, prompt, options)) {
          if (event.type === 'progress') onProgress(event.progress);
          if (event.type === 'done') return event.answer;
        }
        throw new CogVLM2Error('aborted', 'Stopped.');
      },
    );
    if (finishReason === 'aborted') throw new CogVLM2Error('aborted', 'Stopped.');
    return { text: answerOf(text), finishReason, completionTokens: usage.completionTokens };
  };
}

function endpointAsker(endpoint: Endpoint, settings: Settings): Ask {
  return async ({ id, prompt, pictures }, signal) => {
    const seed = settings.seed === null ? null : seedOf(settings.seed, id);
    const images = await Promise.all(
      pictures.map(async (bytes) => ({
        type: 'image_url' as const,
        image_url: { url: await dataUrl(bytes) },
      })),
    );
    const reply = await endpoint.chat(
      [...images, { type: 'text', text: prompt }],
      { ...settings, seed },
      signal,
    );
    return { ...reply, text: answerOf(reply.text) };
  };
}

/** As VLMEvalKit takes an answer from CogVLM2. */
export function answerOf(text: string): string {
  return strip(text.split('<|end_of_text|>')[0]!);
}

/** An answer must not depend on which others were asked before it, or beside it. */
export function seedOf(seed: number, id: string): number {
  return createHash('sha256').update(`${seed} ${id}`).digest().readUIntBE(0, 4);
}

/** Servers read PNG, JPEG and WebP; an image of another format is sent as PNG. */
async function dataUrl(bytes: Uint8Array): Promise<string> {
  const format = sniffFormat(bytes);
  if (format === null) throw unreadableImage(bytes, 'The image');
  if (format === 'png' || format === 'jpeg' || format === 'webp') return urlOf(format, bytes);
  const { data, width, height } = await decodeImage(bytes);
  return urlOf('png', await encodePng(data, width, height, 3));
}

function urlOf(format: string, bytes: Uint8Array): string {
  return `data:image/${format};base64,${Buffer.from(bytes).toString('base64')}`;
}
