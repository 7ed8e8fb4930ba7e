/**
 * A server with the API of the real one. A script gives its answers, so that a test controls their content and their time. It serves
 * the built page.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServerType, serve } from '@hono/node-server';
import { Hono } from 'hono';

export const BUILT_PAGE = new URL('../../dist/web/index.html', import.meta.url);

export interface ChatBody {
  model: string;
  messages: { role: string; content: unknown }[];
  [field: string]: unknown;
}

/** A piece of text, progress, the end of the connection, or an error of the API. */
export type Step =
  | string
  | { progress: { stage: 'vision' | 'prefill'; done: number; total: number } }
  | { error: { code: string; message: string } }
  | { breakOff: true }
  | { pauseMs: number }
  /** Sends nothing more until the client disconnects. */
  | { wait: true };

export interface Script {
  steps: (body: ChatBody) => readonly Step[];
  health: { status: 200 | 503; body: object };
  /** If set, the answer to the next requests instead of a stream. */
  refusal: { status: 400 | 413 | 500 | 503; code: string; message: string } | null;
  apiKey: string | null;
  warnings: string[];
  props: Record<string, unknown>;
  finishReason: 'stop' | 'length';
  /** The evidence of answers, for requests that ask for it. */
  evidence: object | null;
  /** The lines of a PDF: an image as base64, or an error. */
  pages: readonly (string | { code: string; message: string })[];
}

export class ScriptedServer {
  readonly script: Script = {
    steps: () => ['The total is ', '**21.40**', '.'],
    health: { status: 200, body: { status: 'ok' } },
    refusal: null,
    apiKey: null,
    warnings: [],
    props: {},
    finishReason: 'stop',
    evidence: null,
    pages: [],
  };
  readonly asked: ChatBody[] = [];
  readonly cancelled: string[] = [];
  /** Number of streams that the client closed before their end. */
  left = 0;
  readonly #app = this.#routes();
  #server: ServerType | null = null;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Listens, on the previous port if there is one. */
  async open(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server = serve(
        { fetch: this.#app.fetch, hostname: '127.0.0.1', port: this.#port },
        ({ port }) => {
          this.#port = port;
          resolve();
        },
      );
    });
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (!server) return;
    if ('closeAllConnections' in server) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  #routes(): Hono {
    const app = new Hono();
    const { script } = this;
    app.use(async (c, next) => {
      const isPublic = ['/', '/health'].includes(c.req.path);
      if (
        !isPublic &&
        script.apiKey !== null &&
        c.req.header('authorization') !== `Bearer ${script.apiKey}`
      ) {
        return c.json(
          { error: { code: 'invalid_api_key', message: 'The API key is missing or wrong.' } },
          401,
        );
      }
      return next();
    });
    app.get('/', (c) => c.html(readFileSync(BUILT_PAGE, 'utf8')));
    app.get('/health', (c) => c.json(script.health.body, script.health.status));
    app.get('/props', (c) => c.json({ ...PROPS, ...script.props }));
    app.get('/v1/models', (c) => c.json({ object: 'list', data: [{ id: PROPS.model, object: 'model' }] }));
    app.post('/v1/pages', (c) => {
      const lines = script.pages.map((page, index) => {
        const head = { page: index + 1, page_count: script.pages.length };
        const drawn =
          typeof page === 'string'
            ? { image: `data:image/png;base64,${page}`, warnings: [] }
            : { error: { ...page, type: 'invalid_request_error', param: null } };
        return `${JSON.stringify({ ...head, ...drawn })}\n`;
      });
      return c.body(lines.join(''), 200, { 'content-type': 'application/x-ndjson' });
    });
    app.post('/v1/cancel/:id', (c) => {
      this.cancelled.push(c.req.param('id'));
      return c.json({ cancelled: true });
    });
    app.post('/v1/chat/completions', async (c) => {
      if (script.refusal) {
        const { status, code, message } = script.refusal;
        return c.json({ error: { code, message, type: 'invalid_request_error', param: null } }, status);
      }
      const body = await c.req.json<ChatBody>();
      this.asked.push(body);
      return new Response(this.#stream(body, c.req.raw.signal), {
        headers: { 'content-type': 'text/event-stream' },
      });
    });
    return app;
  }

  #stream(body: ChatBody, signal: AbortSignal): ReadableStream<Uint8Array> {
    const { script } = this;
    const encoder = new TextEncoder();
    const head = { id: `chatcmpl-${this.asked.length}`, object: 'chat.completion.chunk', model: PROPS.model };
    const choice = (delta: object, finish_reason: string | null = null) => ({
      ...head,
      choices: [{ index: 0, delta, finish_reason }],
    });
    let isLeft = false;
    const run = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const send = (data: object | string) => {
        const text = typeof data === 'string' ? data : JSON.stringify(data);
        controller.enqueue(encoder.encode(`data: ${text}\n\n`));
      };
      send({
        ...choice({ role: 'assistant', content: '' }),
        ...(script.warnings.length > 0 && { warnings: script.warnings }),
      });
      let tokens = 0;
      for (const step of script.steps(body)) {
        if (isLeft) return;
        if (typeof step === 'string') {
          tokens += 1;
          send(choice({ content: step }));
          await sleep(1);
        } else if ('progress' in step) {
          const { stage, done, total } = step.progress;
          send({ ...head, choices: [], prompt_progress: { stage, processed: done, total, time_ms: 0 } });
        } else if ('pauseMs' in step) await sleep(step.pauseMs);
        else if ('wait' in step) {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          return;
        } else if ('error' in step) {
          send({ error: step.error });
          controller.close();
          return;
        } else {
          controller.error(new Error('broken off'));
          return;
        }
      }
      const last = choice({}, script.finishReason);
      if (script.evidence && body.return_evidence === true)
        Object.assign(last.choices[0] ?? {}, { evidence: script.evidence });
      send({ ...last, timings: { predicted_per_second: 12.34 } });
      const hasImage = JSON.stringify(body.messages).includes('image_url');
      const prompt_tokens = (hasImage ? PROPS.image.tokens : 0) + 12;
      const prompt_tokens_details = { image_tokens: hasImage ? PROPS.image.tokens : 0 };
      send({
        ...head,
        choices: [],
        usage: { prompt_tokens, completion_tokens: tokens, prompt_tokens_details },
      });
      send('[DONE]');
      controller.close();
    };
    return new ReadableStream({
      start: (controller) => {
        signal.addEventListener('abort', () => {
          isLeft = true;
          this.left += 1;
        });
        void run(controller);
      },
      cancel() {
        isLeft = true;
      },
    });
  }
}

const PROPS = {
  model: 'cogvlm2-llama3-chat-19b',
  is_demo: false,
  n_ctx: 8192,
  default_generation_settings: {
    temperature: 0,
    top_k: 0,
    top_p: 1,
    min_p: 0,
    repetition_penalty: 1,
    max_tokens: 2048,
  },
  image: { size: 1344, tokens: 2306, max_pixels: 64_000_000 },
  limits: { max_body_bytes: 32 * 1024 * 1024, max_answer_tokens: 4096 },
};
