/** The model: its names, its size and limits, and its tokenizer. */

import { statSync } from 'node:fs';
import { z } from 'zod';
import { takesVideo } from '../../checkpoint/types.ts';
import { readableTypes } from '../../image/formats.ts';
import { hasFfmpeg } from '../../video/program.ts';
import { ApiError } from '../api-error.ts';
import type { App, AppParts } from '../app-parts.ts';
import { withBody } from '../chat/incoming.ts';
import { checkTextSize } from '../chat/prepare.ts';
import { checkModel } from '../chat/request.ts';
import { REQUEST_LIMITS } from '../limits.ts';

const tokenizeSchema = z.object({ content: z.string() });
const isTokenId = (id: unknown) => Number.isInteger(id) && Number(id) >= 0 && Number(id) < 2 ** 31;
/** A predicate, because zod would make an issue for every wrong id. */
const detokenizeSchema = z.object({
  tokens: z.custom<number[]>((value) => Array.isArray(value) && value.every(isTokenId)),
});

export function modelRoutes(app: App, parts: AppParts): void {
  const { engine } = parts;
  for (const base of ['/v1', '']) {
    app.get(`${base}/models`, (c) => c.json({ object: 'list', data: models(parts) }));
    app.get(`${base}/models/:id{.+}`, (c) => {
      const id = c.req.param('id');
      checkModel(id, parts.rules.names);
      const all = models(parts);
      return c.json(all.find((model) => model.id === id) ?? all[0]!);
    });
  }
  app.get('/props', async (c) => c.json(await props(parts)));
  app.post('/tokenize', async (c) => {
    const body = await withBody(c, parts, async (body) => body);
    const parsed = tokenizeSchema.safeParse(body);
    if (!parsed.success)
      throw new ApiError('invalid_value', 'The body must be {"content":"..."}.', { param: 'content' });
    const { content } = parsed.data;
    checkTextSize([content], engine.info.contextSize);
    return c.json({ tokens: await engine.call('tokenize', content) });
  });
  app.post('/detokenize', async (c) => {
    const body = await withBody(c, parts, async (body) => body);
    const parsed = detokenizeSchema.safeParse(body);
    if (!parsed.success)
      throw new ApiError('invalid_value', 'The body must be {"tokens":[1,2,3]}: token ids.', {
        param: 'tokens',
      });
    return c.json({ content: await engine.call('detokenize', parsed.data.tokens) });
  });
}

function models({ engine, rules, facts }: AppParts) {
  const adaptersOf = (id: string) =>
    engine.info.adapters
      .filter(({ name }) => name === id)
      .map(({ scale, sizeBytes, fingerprint }) => ({ scale, size: sizeBytes, fingerprint }));
  const { path, contextSize, parameters, sizeBytes, imageSize, imageTokens, types, isDemo } = engine.info;
  const parent = rules.names[0]!;
  const inputs = ['text', 'image', ...(takesVideo(engine.info) ? ['video'] : [])];
  return rules.names.map((id) => ({
    id,
    object: 'model',
    created: modifiedAt(path) ?? facts.startedAt,
    owned_by: 'cogvlm2',
    ...(rules.adapters.includes(id) && { parent, adapters: adaptersOf(id) }),
    architecture: { input_modalities: inputs, output_modalities: ['text'] },
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

/** When the model's files were last modified, in seconds since 1970. */
function modifiedAt(path: string): number | undefined {
  const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return mtimeMs === undefined ? undefined : Math.floor(mtimeMs / 1000);
}

/** For clients that show settings and limits, such as the chat page. */
async function props({ engine, rules, admission, facts, bodyLimits, metrics }: AppParts) {
  const { info } = engine;
  return {
    model: rules.names[0],
    aliases: rules.names.slice(1).filter((name) => !rules.adapters.includes(name)),
    adapters: rules.adapters,
    version: facts.version,
    device: info.device,
    is_demo: info.isDemo,
    modalities: { vision: true, video: takesVideo(info), audio: false },
    chat_template: 'Question: {question} Answer: {answer}\nQuestion: {question} Answer:',
    n_ctx: info.contextSize,
    total_slots: admission.limits.parallel,
    default_generation_settings: {
      temperature: 0,
      top_k: 0,
      top_p: 1,
      min_p: 0,
      repetition_penalty: 1,
      max_tokens: 2048,
      template: info.template,
    },
    image: {
      size: info.imageSize,
      tokens: info.imageTokens,
      formats: readableTypes,
      max_pixels: rules.maxPixels,
      max_per_conversation: 1,
      urls: facts.allowsImageUrls,
    },
    ...(takesVideo(info) && {
      video: {
        files: await hasFfmpeg(),
        max_frames: REQUEST_LIMITS.frames,
        max_second: REQUEST_LIMITS.frameSecond,
      },
    }),
    measured: { seconds_per_image: metrics.secondsPerImage },
    limits: {
      max_body_bytes: bodyLimits.maxBytes,
      max_json_bytes: bodyLimits.maxJsonBytes,
      max_answer_tokens: Number.isFinite(rules.maxAnswerTokens) ? rules.maxAnswerTokens : info.contextSize,
      max_queue: admission.limits.maxWaiting,
      time_limit_seconds: rules.timeLimitMs / 1000,
    },
  };
}
