import type { App, AppParts } from '../app-parts.ts';
import { arrivalOf, inPlace } from '../arrival.ts';
import { ChatAnswers } from '../chat/answers.ts';

/** Answers, how many tokens a prompt has, and stopping an answer by its id. */
export function chatRoutes(app: App, parts: AppParts): void {
  const chat = new ChatAnswers(parts);
  app.post('/v1/chat/completions', (c) => chat.answer(arrivalOf(c, parts)));
  app.post('/v1/chat/completions/input_tokens', async (c) =>
    c.json(await inPlace(c, parts, () => chat.countTokens(arrivalOf(c, parts)))),
  );
  app.post('/v1/cancel/:id', (c) => {
    const id = c.req.param('id');
    parts.running.cancel(id, c.get('client'));
    return c.json({ id, cancelled: true });
  });
}
