/** Counts the work of the engine for a client that has disconnected, with random weights. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import type { Stats } from '../../src/index.ts';
import { until } from '../cli/memory-terminal.ts';
import { tinyConfig } from '../model/tiny-checkpoint.ts';
import { writeTinyModel } from '../model/tiny-model.ts';
import { type Listening, listening } from './in-process.ts';

const towerLayers = 100;
const config = {
  max_position_embeddings: 2000,
  // No token ends an answer early.
  eos_token_id: [462],
  vision_config: { ...tinyConfig.vision_config, num_hidden_layers: towerLayers },
};
const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-leaving-'));
const file = new URL('../fixtures/images/exact.png', import.meta.url);
const url = `data:image/png;base64,${readFileSync(file).toString('base64')}`;
const image = { type: 'image_url', image_url: { url } };
const maxTokens = 1500;

let model: CogVLM2;
let server: Listening;
/** The work of the engine at the moment of the abort. */
let told: Stats | null = null;

beforeAll(async () => {
  model = await CogVLM2.load({
    model: writeTinyModel(folder, config),
    device: 'cpu',
    threads: 1,
    imageCacheBytes: 0,
  });
  const ask = model.ask.bind(model);
  vi.spyOn(model, 'ask').mockImplementation((image, question, options) => {
    options?.signal?.addEventListener('abort', () => {
      told = model.stats();
    });
    return ask(image, question, options);
  });
  server = await listening({}, async () => model);
}, 60_000);

afterAll(async () => {
  await server.close();
  model.dispose();
  rmSync(folder, { recursive: true });
});

/** Opens its own connection, so that it can be closed. */
function ask(fields: object) {
  const body = JSON.stringify({ max_tokens: maxTokens, temperature: 1, seed: 1, ...fields });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-request-id: leaving\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  return socket;
}

const question = { type: 'text', text: 'What is to be seen?' };
const withPicture = { messages: [{ role: 'user', content: [question, image] }] };
const withoutPicture = { messages: [{ role: 'user', content: 'Tell me all.' }] };
const stages = [
  {
    stage: 'an image is encoded',
    fields: withPicture,
    count: ({ visionBlocks }: Stats) => visionBlocks,
    whole: towerLayers,
    settle: () => model.ask(null, 'Why?', { maxTokens: 2 }).result(),
  },
  {
    stage: 'tokens are decoded',
    fields: withoutPicture,
    count: ({ decodeSteps }: Stats) => decodeSteps,
    whole: maxTokens,
    settle: async () => (await model.encodeImage(fileURLToPath(file))).dispose(),
  },
];
const ways = [
  { way: 'closes its stream', stream: true, leave: (socket: ReturnType<typeof ask>) => socket.destroy() },
  {
    way: 'closes its connection',
    stream: false,
    leave: (socket: ReturnType<typeof ask>) => socket.destroy(),
  },
  {
    way: 'cancels by the id',
    stream: true,
    leave: () => void fetch(`${server.url}/v1/cancel/chatcmpl-leaving`, { method: 'POST' }),
  },
];

describe.each(stages)('while $stage', ({ fields, count, whole, settle }) => {
  it.each(ways)('a client that $way causes at most one more piece of work', async ({ stream, leave }) => {
    told = null;
    const before = count(model.stats());
    const socket = ask({ ...fields, stream });
    socket.on('error', () => {});
    await until(() => count(model.stats()) >= before + 3);
    leave(socket);
    await until(() => told !== null && model.stats().running === 0);
    expect(server.log()).not.toContain('"msg":"failed"');
    // Work that had begun has ended when another request was answered.
    await settle();
    const after = count(model.stats());
    expect(after - count(told!)).toBeLessThanOrEqual(1);
    expect(after - before).toBeLessThan(whole);
    socket.destroy();
  });
});
