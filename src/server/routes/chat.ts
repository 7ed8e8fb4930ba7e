/** Answers, the token count of a prompt, and cancellation by id. */
import type { App, AppParts } from '../app-parts.ts';
import { ChatHandler } from '../chat/handler.ts';
import { incomingRequest, withBody } from '../chat/incoming.ts';

export function chatRoutes(app: App, parts: AppParts): void {
  const chat = new ChatHandler(parts);
  app.post('/v1/chat/completions', (c) => chat.answer(incomingRequest(c, parts)));
  app.post('/v1/chat/completions/input_tokens', async (c) =>
    c.json(await withBody(c, parts, (body, signal) => chat.countTokens(body, signal))),
  );
  app.post('/v1/cancel/:id', (c) => {
    const id = c.req.param('id');
    parts.running.cancel(id, c.get('client'));
    return c.json({ id, cancelled: true });
  });
}
