import { statSync } from 'node:fs';
import type { App, AppParts } from '../app-parts.ts';
import { checkModel } from '../chat/request.ts';

/** The one model, under each of its names. */
export function modelRoutes(app: App, parts: AppParts): void {
  app.get('/v1/models', (c) => c.json({ object: 'list', data: models(parts) }));
  app.get('/v1/models/:id{.+}', (c) => {
    const id = c.req.param('id');
    checkModel(id, parts.rules.names);
    const all = models(parts);
    return c.json(all.find((model) => model.id === id) ?? all[0]!);
  });
}

function models({ engine, rules, facts }: AppParts) {
  const { path, contextSize, parameters, sizeBytes, imageSize, imageTokens, types, isDemo } = engine.info;
  return rules.names.map((id) => ({
    id,
    object: 'model',
    created: secondsOf(path) ?? facts.startedAt,
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

/** When the model's files were written, in seconds since 1970. */
function secondsOf(path: string): number | undefined {
  const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return mtimeMs === undefined ? undefined : Math.floor(mtimeMs / 1000);
}
