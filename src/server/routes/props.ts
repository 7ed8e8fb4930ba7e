import type { App, AppParts } from '../app-parts.ts';

/** For clients that show what can be set and how much fits, such as the chat page. */
export function propsRoute(app: App, parts: AppParts): void {
  app.get('/props', (c) => c.json(props(parts)));
}

function props({ engine, rules, queue, facts }: AppParts) {
  const { info } = engine;
  return {
    model: rules.names[0],
    aliases: rules.names.slice(1),
    version: facts.version,
    device: info.device,
    is_demo: info.isDemo,
    modalities: { vision: true, audio: false },
    chat_template: 'Question: {question} Answer: {answer}\nQuestion: {question} Answer:',
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
