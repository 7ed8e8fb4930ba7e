/** Answers, the token count of a prompt, and cancellation by id. */
import type { App, AppParts } from '../app-parts.ts';
import { ChatHandler, COMPLETIONS_API, RESPONSES_API } from '../chat/handler.ts';
import { incomingRequest, withBody } from '../chat/incoming.ts';

export function chatRoutes(app: App, parts: AppParts): void {
  const chat = new ChatHandler(parts);
  // Without /v1 for clients whose base URL lacks it.
  for (const base of ['/v1', '']) {
    for (const [path, api] of [
      ['/chat/completions', COMPLETIONS_API],
      ['/responses', RESPONSES_API],
    ] as const) {
      app.post(`${base}${path}`, (c) => chat.answer(incomingRequest(c, parts), api));
      app.post(`${base}${path}/input_tokens`, async (c) =>
        c.json(
          await withBody(c, parts, (body, signal, incoming) => chat.countTokens(incoming, body, api, signal)),
        ),
      );
    }
  }
  app.post('/v1/cancel/:id', (c) => {
    const id = c.req.param('id');
    parts.requests.cancel(id, c.get('client'));
    return c.json({ id, cancelled: true });
  });
}
