/** What the server says about itself: the model, its limits, how it is. */
import type { ChatParts } from './chat/answers.ts';

export interface Facts {
  version: string;
  /** Seconds since 1970: when the server began. */
  startedAt: number;
  maxBodyBytes: number;
  allowsImageUrls: boolean;
  /** Set once the server has begun to end. */
  draining: boolean;
}

export function models({ engine, rules }: ChatParts, { startedAt }: Facts) {
  const { contextSize, parameters, sizeBytes, imageSize, imageTokens, types, isDemo } = engine.info;
  return rules.names.map((id) => ({
    id,
    object: 'model',
    created: startedAt,
    owned_by: 'cogvlm2',
    architecture: { input_modalities: ['text', 'image'], output_modalities: ['text'] },
    meta: {
      n_ctx: contextSize,
      n_params: parameters,
      size: sizeBytes,
      types: Object.keys(types),
      image_size: imageSize,
      image_tokens: imageTokens,
      is_demo: isDemo,
    },
  }));
}

/** For clients that show what can be set and how much fits, such as the chat page. */
export function props({ engine, rules, queue }: ChatParts, facts: Facts) {
  const { info } = engine;
  return {
    model: rules.names[0],
    aliases: rules.names.slice(1),
    version: facts.version,
    device: info.device,
    is_demo: info.isDemo,
    modalities: { vision: true, audio: false },
    chat_template: 'Question: {question} Answer: {answer}\\nQuestion: {question} Answer:',
    n_ctx: info.contextSize,
    total_slots: queue.limits.parallel,
    default_generation_settings: {
      temperature: 0,
      top_k: 0,
      top_p: 1,
      min_p: 0,
      repetition_penalty: 1,
      max_tokens: 2048,
      template: 'chat',
    },
    image: {
      size: info.imageSize,
      tokens: info.imageTokens,
      formats: ['image/jpeg', 'image/png', 'image/webp'],
      max_pixels: rules.maxPixels,
      max_per_conversation: 1,
      urls: facts.allowsImageUrls,
    },
    limits: {
      max_body_bytes: facts.maxBodyBytes,
      max_answer_tokens: Number.isFinite(rules.maxAnswerTokens) ? rules.maxAnswerTokens : info.contextSize,
      max_queue: queue.limits.maxWaiting,
      time_limit_seconds: rules.timeLimitMs / 1000,
    },
  };
}

export function health({ engine }: ChatParts, { draining }: Facts): { status: 200 | 503; body: object } {
  if (draining) return { status: 503, body: { status: 'shutting_down' } };
  if (!engine.isReady) return { status: 503, body: { status: 'loading', progress: engine.loaded } };
  return { status: 200, body: { status: 'ok' } };
}

/** What is under way, and what the engine says of itself. */
export async function slots({ engine, queue, running }: ChatParts) {
  return {
    running: queue.running,
    waiting: queue.waiting,
    requests: running.list(),
    engine: { restarts: engine.restarts, ...(await engine.stats()) },
  };
}
