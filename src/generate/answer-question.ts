/** The steps of one answer: check the options, queue, encode the image if necessary, generate. */
import { CogVLM2Error } from '../errors.ts';
import type { GrammarMasks } from '../grammar/masks.ts';
import { EncodedImage } from '../model/encoded-image.ts';
import type { Prompt } from '../text/prompt.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { VisualSource } from '../video/video.ts';
import type { LoadedAdapters } from './adapters.ts';
import type { Emit } from './answer-stream.ts';
import type { EvidenceCollector } from './evidence.ts';
import { generate } from './generate.ts';
import { asAborted, type ImageEncoder, type ReadImage } from './image-encoder.ts';
import type { PromptBuilder } from './prepare-request.ts';
import type { Scheduler } from './scheduler.ts';
import type { Answer, GenerateOptions, Progress } from './types.ts';

/** The parts of a model that all answers share. */
export interface Answering {
  scheduler: Scheduler;
  prompts: PromptBuilder;
  masks: GrammarMasks;
  images: ImageEncoder;
  adapters: LoadedAdapters;
  tokenizer: Tokenizer;
  eosIds: readonly number[];
  /** Undefined for a prompt without an image, and for a video. */
  newEvidence: (prompt: Prompt) => EvidenceCollector | undefined;
  /** @throws CogVLM2Error `disposed`. */
  checkAlive: () => void;
}

export interface Question {
  image: EncodedImage | ReadImage | VisualSource | null;
  question: string;
  options: GenerateOptions;
  /** Receives ownership of the encoded image. With it, the image is encoded even if the prefix cache has it. */
  keepImage?: ((encoded: EncodedImage) => void) | undefined;
}

/** @throws CogVLM2Error as `CogVLM2.ask` */
export async function answerQuestion(
  { scheduler, prompts, masks, images, adapters, tokenizer, eosIds, newEvidence, checkAlive }: Answering,
  { image: source, question, options, keepImage }: Question,
  emit: Emit,
  signal: AbortSignal,
): Promise<Answer> {
  checkAlive();
  const startedAt = performance.now();
  const adapter = adapters.check(options.adapter);
  const given = source instanceof EncodedImage ? source : null;
  const unread = source === null || source instanceof EncodedImage ? null : source;
  const read = () => (unread === null ? null : images.read(unread, options.template, signal));
  // The prompt of a video has one part for each of its frames.
  let file = images.readsVideos ? await read() : null;
  const frameTexts = given?.frameTexts ?? file?.frameTexts;
  const request = await prompts.prepareInBackground(source !== null, question, options, frameTexts);
  const { prompt, grammar, answerStart, maxTokens } = request;
  const mask = grammar && (await asAborted(signal, () => masks.start(grammar, answerStart, signal)));
  const givenTokens = given?.state ?? null;
  if (given && given.adapterKey !== adapters.imageKeyOf(adapter)) {
    throw new CogVLM2Error(
      'invalid_value',
      'The image was encoded with another adapter, and one of them changes the vision tower. Encode it with this one: encodeImage(image, { adapter }).',
    );
  }
  file ??= await read();
  checkAlive();
  using sequence = await scheduler.submit({
    client: options.client ?? '',
    prompt,
    adapter,
    imageKey: given?.contentKey ?? file?.contentKey ?? null,
    tokens: prompt.ids.length + maxTokens,
    signal,
    onState: options.onState,
  });
  checkAlive();
  const { holdsImage } = sequence;
  const onProgress = (progress: Progress) => emit({ type: 'progress', progress });
  const encoded =
    file && (keepImage || !holdsImage) ? await images.encode(file, adapter, onProgress, signal) : null;
  if (encoded) keepImage?.(encoded);
  try {
    const image = holdsImage ? null : (givenTokens ?? encoded?.state ?? null);
    const evidence = options.evidence ? newEvidence(prompt) : undefined;
    const generation = { request, mask, image, tokenizer, eosIds, emit, startedAt, evidence };
    const answer = await generate(sequence, generation);
    if (file) answer.timings.imageMs = encoded?.imageMs ?? file.readMs;
    answer.timings.visionMs = encoded?.visionMs ?? 0;
    const asked = given ?? file;
    if (asked) answer.warnings = [...images.warningsOf(asked)];
    if (holdsImage) answer.imageOrigin = 'prefix';
    else if (source !== null) answer.imageOrigin = encoded?.origin ?? 'memory';
    return answer;
  } finally {
    if (!keepImage) encoded?.dispose();
  }
}
