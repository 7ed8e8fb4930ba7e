import { randomUUID } from 'node:crypto';
import { ReadableStream } from 'node:stream/web';
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3FinishReason,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
  SharedV3ProviderMetadata,
  SharedV3Warning,
} from '@ai-sdk/provider';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { askForJson } from '../generate/extract.ts';
import type { Answer, AnswerFormat, AnswerStream, CogVLM2, GenerateOptions } from '../index.ts';
import { type ChatPrompt, readPrompt } from './prompt.ts';

/** What the SDK has no option for, as `providerOptions: { cogvlm2: ... }`. */
const providerOptionsSchema = z.strictObject({
  minP: z.number().optional(),
  repetitionPenalty: z.number().optional(),
  template: z.enum(['chat', 'vqa', 'base']).optional(),
});

/** A loaded model as a model of the AI SDK (specification v3), in this process. Who loaded it disposes it. */
export function cogvlm2(model: CogVLM2): LanguageModelV3 {
  return {
    specificationVersion: 'v3',
    provider: 'cogvlm2',
    modelId: model.info.name,
    // None: the SDK fetches pictures itself and hands over their bytes.
    supportedUrls: {},

    async doGenerate(options) {
      const { stream, warnings, dispose } = begin(model, options);
      try {
        const answer = await stream.result();
        if (answer.finishReason === 'aborted') throw abortedBy(options);
        return {
          content: [{ type: 'text', text: answer.text }],
          finishReason: finishReasonOf(answer),
          usage: usageOf(answer),
          providerMetadata: metadataOf(answer),
          response: { id: randomUUID(), timestamp: new Date(), modelId: model.info.name },
          warnings,
        };
      } finally {
        dispose();
      }
    },

    async doStream(options) {
      const { stream, warnings, dispose } = begin(model, options);
      return { stream: ReadableStream.from(parts(model, stream, warnings, options, dispose)) };
    },
  };
}

interface Begun {
  stream: AnswerStream;
  warnings: SharedV3Warning[];
  /** Frees the picture. */
  dispose: () => void;
}

/** The work itself begins when the stream is read. */
function begin(model: CogVLM2, options: LanguageModelV3CallOptions): Begun {
  const prompt = readPrompt(options.prompt);
  const { settings, warnings } = settingsOf(options);
  const conversation = model.chat(prompt.image, prompt.history);
  const stream = conversation.ask(questionOf(prompt, settings.format), settings);
  return { stream, warnings: [...prompt.warnings, ...warnings], dispose: () => conversation.dispose() };
}

function questionOf({ question }: ChatPrompt, format: AnswerFormat | undefined): string {
  return format?.type === 'json_schema' ? askForJson(question, format.schema) : question;
}

/** Our options, and a warning for each that we have no equal of. @throws CogVLM2Error `invalid_value`. */
function settingsOf(options: LanguageModelV3CallOptions): {
  settings: GenerateOptions;
  warnings: SharedV3Warning[];
} {
  const own = providerOptionsSchema.safeParse(options.providerOptions?.cogvlm2 ?? {});
  if (!own.success) {
    throw new CogVLM2Error('invalid_value', `providerOptions.cogvlm2: ${z.prettifyError(own.error)}`);
  }
  const { maxOutputTokens, temperature, topP, topK, seed, stopSequences, responseFormat, abortSignal } =
    options;
  const format = formatOf(responseFormat);
  const warnings: SharedV3Warning[] = [];
  const unsupported = (feature: string, details?: string) =>
    warnings.push({ type: 'unsupported', feature, ...(details !== undefined && { details }) });
  if (options.presencePenalty)
    unsupported('presencePenalty', 'use providerOptions.cogvlm2.repetitionPenalty');
  if (options.frequencyPenalty)
    unsupported('frequencyPenalty', 'use providerOptions.cogvlm2.repetitionPenalty');
  if (options.tools?.length) unsupported('tools');
  const stop = stopSequences?.length ? stopSequences : undefined;
  if (format && stop) unsupported('stopSequences', 'they could cut the JSON that responseFormat asks for');
  const settings = defined({
    ...own.data,
    maxTokens: maxOutputTokens,
    temperature,
    topP,
    topK,
    seed,
    signal: abortSignal,
    format,
    stop: format ? undefined : stop,
  });
  return { settings, warnings };
}

function formatOf(format: LanguageModelV3CallOptions['responseFormat']): AnswerFormat | undefined {
  if (format?.type !== 'json') return undefined;
  if (format.schema === undefined) return { type: 'json_object' };
  return {
    type: 'json_schema',
    schema: format.schema,
    ...(format.name !== undefined && { name: format.name }),
  };
}

async function* parts(
  model: CogVLM2,
  stream: AnswerStream,
  warnings: SharedV3Warning[],
  options: LanguageModelV3CallOptions,
  dispose: () => void,
): AsyncGenerator<LanguageModelV3StreamPart> {
  yield { type: 'stream-start', warnings };
  const id = randomUUID();
  yield { type: 'response-metadata', id, timestamp: new Date(), modelId: model.info.name };
  let begun = false;
  try {
    for await (const event of stream) {
      if (event.type === 'text') {
        if (!begun) yield { type: 'text-start', id };
        begun = true;
        yield { type: 'text-delta', id, delta: event.text };
      } else if (event.type === 'done') {
        if (begun) yield { type: 'text-end', id };
        const { answer } = event;
        if (answer.finishReason === 'aborted') throw abortedBy(options);
        const providerMetadata = metadataOf(answer);
        yield {
          type: 'finish',
          finishReason: finishReasonOf(answer),
          usage: usageOf(answer),
          providerMetadata,
        };
      }
    }
  } catch (error) {
    if (options.abortSignal?.aborted) throw error;
    yield { type: 'error', error };
    yield { type: 'finish', finishReason: { unified: 'error', raw: undefined }, usage: unknownUsage };
  } finally {
    dispose();
  }
}

const unknownUsage: LanguageModelV3Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

function abortedBy({ abortSignal }: LanguageModelV3CallOptions): unknown {
  return abortSignal?.reason ?? new CogVLM2Error('aborted', 'Stopped before the answer was complete.');
}

function finishReasonOf({ finishReason }: Answer): LanguageModelV3FinishReason {
  return { unified: finishReason === 'aborted' ? 'other' : finishReason, raw: finishReason };
}

function usageOf({ usage }: Answer): LanguageModelV3Usage {
  const { promptTokens, cachedTokens, completionTokens } = usage;
  return {
    inputTokens: {
      total: promptTokens,
      noCache: promptTokens - cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: { total: completionTokens, text: completionTokens, reasoning: undefined },
  };
}

function metadataOf({ seed, usage, timings }: Answer): SharedV3ProviderMetadata {
  const { perTokenMs: _, ...stages } = timings;
  return { cogvlm2: { seed, imageTokens: usage.imageTokens, timings: { ...stages } } };
}

/** Without the properties that are undefined, which would otherwise count as given. */
function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
