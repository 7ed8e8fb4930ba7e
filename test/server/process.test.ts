/** The built server as a process: signals, a crash under load, and equal answers of the command line. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../cli/memory-terminal.ts';
import { isBuilt, pictures, program, type Served, serve } from './served.ts';

/** Long answers. The demo model continues if it samples at random. */
const long = {
  messages: [{ role: 'user' as const, content: 'Why?' }],
  max_tokens: 1500,
  temperature: 100,
  seed: 1,
};

interface Slots {
  running: number;
  waiting: number;
  requests: { state: string; text_pieces: number }[];
  engine: { restarts: number; processId?: number; running?: number };
}

async function slots({ url }: Served): Promise<Slots> {
  return (await (await fetch(`${url}/slots`)).json()) as Slots;
}

const ask = ({ url }: Served, fields: object = {}) =>
  fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ ...long, ...fields }) });

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!isBuilt)('the server (skipped without dist/ and models/demo)', () => {
  let server: Served;
  let client: OpenAI;

  beforeAll(async () => {
    server = await serve(['--slots', '2', '--drain-seconds', '300']);
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose]());

  it('gives the answer of the command line, for the same seed and options', async () => {
    const picture = `${pictures}/receipt.png`;
    const question = 'What is the total?';
    const url = `data:image/png;base64,${readFileSync(picture).toString('base64')}`;
    const answer = await client.chat.completions.create({
      model: 'demo',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: question },
            { type: 'image_url', image_url: { url } },
          ],
        },
      ],
      temperature: 2,
      top_p: 0.95,
      seed: 11,
      max_tokens: 20,
    });
    const flags = ['--temperature', '2', '--top-p', '0.95', '--seed', '11', '--max-tokens', '20'];
    const { stdout } = await promisify(execFile)(process.execPath, [
      program,
      'ask',
      '-q',
      picture,
      question,
      ...flags,
    ]);
    expect(answer.choices[0]?.message.content).toBe(stdout.slice(0, -1));
  });

  it('continues after a crash of the engine: answers with text get an error, queued requests are answered', async () => {
    const stream = await client.chat.completions.create({ ...long, model: 'demo', stream: true });
    const streamed = (async () => {
      for await (const _ of stream);
    })().catch((error: unknown) => error);
    const second = ask(server);
    await until(async () => (await slots(server)).running === 2);
    const queued = Array.from({ length: 3 }, () => ask(server, { max_tokens: 3 }));
    await until(async () => (await slots(server)).waiting === 3);
    await until(
      async () => (await slots(server)).requests.filter(({ text_pieces }) => text_pieces > 0).length === 2,
    );
    const before = (await slots(server)).engine;
    process.kill(before.processId!, 'SIGKILL');
    const ended = await streamed;
    expect(ended).toBeInstanceOf(APIError);
    expect(ended).toMatchObject({ code: 'engine_stopped' });
    const failed = await second;
    expect([failed.status, failed.headers.has('retry-after')]).toEqual([503, true]);
    for (const answer of queued) expect((await answer).status).toBe(200);
    const after = await slots(server);
    expect(after).toMatchObject({ running: 0, waiting: 0, engine: { restarts: before.restarts + 1 } });
    expect(after.engine.processId).not.toBe(before.processId);
    expect(server.log()).toContain('the engine ended');
  });

  it('finishes requests at SIGTERM, refuses new ones, and leaves no processes', async () => {
    const { engine } = await slots(server);
    const answer = ask(server, { max_tokens: 60 });
    await until(async () => (await slots(server)).running === 1);
    server.child.kill('SIGTERM');
    await until(() =>
      fetch(`${server.url}/livez`).then(
        () => false,
        () => true,
      ),
    );
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ usage: { completion_tokens: 60 } });
    expect(await server.exited).toBe(0);
    expect(isAlive(engine.processId!)).toBe(false);
  });

  it('ends the engine if it is killed', async () => {
    await using other = await serve();
    const { engine } = await slots(other);
    other.child.kill('SIGKILL');
    await other.exited;
    await until(() => !isAlive(engine.processId!));
  });

  it('ends like `ask` if the model does not exist', async () => {
    await expect(serve(['--model', 'dmeo'])).rejects.toThrow(/\(4\): .*Did you mean "demo"/s);
  });
});
