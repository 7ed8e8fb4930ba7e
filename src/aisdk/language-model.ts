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
import { RequiredCall } from '../generate/required-call.ts';
import type { Answer, AnswerFormat, AnswerStream, CogVLM2, GenerateOptions } from '../index.ts';
import { type ChatPrompt, readPrompt } from './prompt.ts';

/** Options that the SDK lacks, as `providerOptions: { cogvlm2: ... }`. */
const providerOptionsSchema = z.strictObject({
  minP: z.number().optional(),
  repetitionPenalty: z.number().optional(),
  template: z.enum(['chat', 'vqa', 'base']).optional(),
});

/** A loaded model as a model of the AI SDK (specification v3), in this process. The caller who loaded it disposes it. */
export function cogvlm2(model: CogVLM2): LanguageModelV3 {
  return {
    specificationVersion: 'v3',
    provider: 'cogvlm2',
    modelId: model.info.name,
    // None: the SDK fetches images itself and passes their bytes.
    supportedUrls: {},

    async doGenerate(options) {
      const { stream, call, warnings } = begin(model, options);
      const answer = await stream.result();
      if (answer.finishReason === 'aborted') throw abortedBy(options);
      return {
        content: [toolCallIn(answer, call) ?? { type: 'text', text: answer.text }],
        finishReason: finishReasonOf(answer, call),
        usage: usageOf(answer),
        providerMetadata: metadataOf(answer),
        response: { id: randomUUID(), timestamp: new Date(), modelId: model.info.name },
        warnings,
      };
    },

    async doStream(options) {
      return { stream: ReadableStream.from(parts(model, begin(model, options), options)) };
    },
  };
}

interface Begun {
  stream: AnswerStream;
  call: RequiredCall | undefined;
  warnings: SharedV3Warning[];
}

/** The work begins when the stream is read. */
function begin(model: CogVLM2, options: LanguageModelV3CallOptions): Begun {
  const prompt = readPrompt(options.prompt);
  const { settings, call, warnings } = settingsOf(options);
  const question = questionOf(prompt, settings.format, call);
  const stream = model.ask(prompt.image, question, { ...settings, history: prompt.history });
  return { stream, call, warnings: [...prompt.warnings, ...warnings] };
}

function questionOf(
  { question }: ChatPrompt,
  format: AnswerFormat | undefined,
  call: RequiredCall | undefined,
): string {
  if (call) return call.questionFor(question);
  return format?.type === 'json_schema' ? askForJson(question, format.schema) : question;
}

/** Our options, and a warning for each option that we do not support. @throws CogVLM2Error `invalid_value`. */
function settingsOf(options: LanguageModelV3CallOptions): {
  settings: GenerateOptions;
  call: RequiredCall | undefined;
  warnings: SharedV3Warning[];
} {
  const own = providerOptionsSchema.safeParse(options.providerOptions?.cogvlm2 ?? {});
  if (!own.success) {
    throw new CogVLM2Error('invalid_value', `providerOptions.cogvlm2: ${z.prettifyError(own.error)}`);
  }
  const { maxOutputTokens, temperature, topP, topK, seed, stopSequences, responseFormat, abortSignal } =
    options;
  const { presencePenalty, frequencyPenalty } = options;
  const warnings: SharedV3Warning[] = [];
  const call = requiredCall(options, warnings);
  const format = formatOf(responseFormat);
  if (call && format) {
    warnings.push({ type: 'unsupported', feature: 'responseFormat', details: 'a tool call is required' });
  }
  const settings = defined({
    ...own.data,
    maxTokens: maxOutputTokens,
    temperature,
    topP,
    topK,
    presencePenalty,
    frequencyPenalty,
    seed,
    signal: abortSignal,
    format: call?.format ?? format,
    stop: stopSequences?.length ? stopSequences : undefined,
  });
  return { settings, call, warnings };
}

/** The model was not trained to choose a tool. A required call is enforced. */
function requiredCall(
  { tools = [], toolChoice = { type: 'auto' } }: LanguageModelV3CallOptions,
  warnings: SharedV3Warning[],
): RequiredCall | undefined {
  if (tools.length === 0 || toolChoice.type === 'none') return undefined;
  if (toolChoice.type === 'auto') {
    const details = 'the model was not trained to choose one: use toolChoice required, or name a tool';
    warnings.push({ type: 'unsupported', feature: 'tools', details });
    return undefined;
  }
  const functions = tools.flatMap((tool) =>
    tool.type === 'function' && (toolChoice.type === 'required' || tool.name === toolChoice.toolName)
      ? [{ name: tool.name, description: tool.description ?? '', parameters: tool.inputSchema }]
      : [],
  );
  if (functions.length > 0) return new RequiredCall(functions);
  throw new CogVLM2Error('invalid_value', 'toolChoice requires a call, but tools has no such function.');
}

function toolCallIn(answer: Answer, required: RequiredCall | undefined) {
  const call = required?.callIn(answer.text, answer.finishReason === 'stop');
  if (!call) return undefined;
  const { name: toolName, arguments: input } = call;
  return { type: 'tool-call' as const, toolCallId: randomUUID(), toolName, input };
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
  { stream, call, warnings }: Begun,
  options: LanguageModelV3CallOptions,
): AsyncGenerator<LanguageModelV3StreamPart> {
  yield { type: 'stream-start', warnings };
  const id = randomUUID();
  yield { type: 'response-metadata', id, timestamp: new Date(), modelId: model.info.name };
  let begun = false;
  try {
    for await (const event of stream) {
      if (event.type === 'text' && call === undefined) {
        if (!begun) yield { type: 'text-start', id };
        begun = true;
        yield { type: 'text-delta', id, delta: event.text };
      } else if (event.type === 'done') {
        if (begun) yield { type: 'text-end', id };
        const { answer } = event;
        if (answer.finishReason === 'aborted') throw abortedBy(options);
        const toolCall = toolCallIn(answer, call);
        if (toolCall) {
          const { toolCallId, toolName, input } = toolCall;
          yield { type: 'tool-input-start', id: toolCallId, toolName };
          yield { type: 'tool-input-delta', id: toolCallId, delta: input };
          yield { type: 'tool-input-end', id: toolCallId };
          yield toolCall;
        }
        const providerMetadata = metadataOf(answer);
        yield {
          type: 'finish',
          finishReason: finishReasonOf(answer, call),
          usage: usageOf(answer),
          providerMetadata,
        };
      }
    }
  } catch (error) {
    if (options.abortSignal?.aborted) throw error;
    yield { type: 'error', error };
    yield { type: 'finish', finishReason: { unified: 'error', raw: undefined }, usage: unknownUsage };
  }
}

const unknownUsage: LanguageModelV3Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

function abortedBy({ abortSignal }: LanguageModelV3CallOptions): unknown {
  return abortSignal?.reason ?? new CogVLM2Error('aborted', 'Stopped before the answer was complete.');
}

function finishReasonOf(
  { finishReason }: Answer,
  call: RequiredCall | undefined,
): LanguageModelV3FinishReason {
  if (call && finishReason === 'stop') return { unified: 'tool-calls', raw: finishReason };
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

/** Removes undefined properties, which would otherwise count as set. */
function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
