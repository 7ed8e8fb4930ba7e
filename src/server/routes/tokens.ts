import { z } from 'zod';
import { ApiError } from '../api-error.ts';
import type { App, AppParts } from '../app-parts.ts';
import { arrivalOf, inPlace } from '../arrival.ts';
import { checkTextSize } from '../chat/text-size.ts';

const tokenizeSchema = z.object({ content: z.string() });
const id = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const detokenizeSchema = z.object({ tokens: z.array(id).max(1_000_000) });

/** Text to tokens and back. */
export function tokenRoutes(app: App, parts: AppParts): void {
  const { engine } = parts;
  app.post('/tokenize', async (c) => {
    const parsed = tokenizeSchema.safeParse(await inPlace(c, parts, arrivalOf(c, parts).readBody));
    if (!parsed.success)
      throw new ApiError('invalid_value', 'The body must be {"content":"..."}.', { param: 'content' });
    const { content } = parsed.data;
    checkTextSize([content], engine.info.contextSize);
    return c.json({ tokens: await engine.call('tokenize', content) });
  });
  app.post('/detokenize', async (c) => {
    const parsed = detokenizeSchema.safeParse(await inPlace(c, parts, arrivalOf(c, parts).readBody));
    if (!parsed.success)
      throw new ApiError('invalid_value', 'The body must be {"tokens":[1,2,3]}, ids of tokens.', {
        param: 'tokens',
      });
    return c.json({ content: await engine.call('detokenize', parsed.data.tokens) });
  });
}
