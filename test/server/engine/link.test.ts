import { expect, it } from 'vitest';
import { AnswerStream } from '../../../src/generate/answer-stream.ts';
import type { Answer } from '../../../src/generate/types.ts';
import { hostEngine } from '../../../src/server/engine/host.ts';
import { EngineLink } from '../../../src/server/engine/link.ts';
import type { HostedModel, ToEngine } from '../../../src/server/engine/protocol.ts';
import { line } from '../in-process.ts';

/** A link to an engine whose answers describe the received image. */
async function linked() {
  const { parent, child } = line();
  const images: (Uint8Array | null)[] = [];
  let isAborted = false;
  const model = {
    info: { name: 'images' },
    ask: (image: Uint8Array | null, _question: string, { signal }: { signal?: AbortSignal }) => {
      images.push(image);
      return new AnswerStream(async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        isAborted = signal?.aborted === true;
        return { text: '' } as Answer;
      });
    },
  };
  hostEngine(child, async () => model as unknown as HostedModel);
  const sent: ToEngine[] = [];
  const link = new EngineLink({
    ...parent,
    send(message) {
      sent.push(message);
      parent.send(message);
    },
  });
  const ready = new Promise((resolve) => parent.onMessage(resolve));
  parent.send({ type: 'load', options: {} });
  await ready;
  return { link, images, sent, wasAborted: () => isAborted };
}

const request = (image: Uint8Array | null) => ({ image, question: '?', history: [], options: {} });
const listeners = { onState: () => {}, onEvent: () => {} };
const noise = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => (i * 7919) % 251);

it('images of any size arrive unchanged, also two at the same time', async () => {
  const { link, images, sent } = await linked();
  const [small, large, larger] = [noise(1_000), noise(3 * 2 ** 20 + 5), noise(4 * 2 ** 20)];
  const { signal } = new AbortController();
  await Promise.all([null, small, large, larger].map((image) => link.ask(request(image), signal, listeners)));
  const sizes = images.map((image) => image?.byteLength ?? 0);
  expect(sizes).toEqual([0, small.length, large.length, larger.length]);
  for (const [i, image] of [null, small, large, larger].entries()) {
    const got = images[i];
    expect(image === null ? got === null : Buffer.from(got!).equals(image)).toBe(true);
  }
  const largest = Math.max(...sent.map((message) => ('bytes' in message ? message.bytes.byteLength : 0)));
  expect(largest).toBe(2 ** 20);
});

it('a request that is aborted during the transfer of its image is stopped', async () => {
  const { link, wasAborted } = await linked();
  const stop = new AbortController();
  const answer = link.ask(request(noise(3 * 2 ** 20)), stop.signal, listeners);
  stop.abort();
  await answer;
  expect(wasAborted()).toBe(true);
});

it('an image is sent once for all requests about it, and is released after the last', async () => {
  const { link, images, sent } = await linked();
  const image = noise(2 ** 21);
  const { signal } = new AbortController();
  await Promise.all([1, 2, 3].map(() => link.ask(request(image), signal, listeners)));
  expect(images.map((got) => Buffer.from(got!).equals(image))).toEqual([true, true, true]);
  expect(images[1]).toBe(images[0]);
  expect(sent.map(({ type }) => type)).toEqual(['image', 'image', 'ask', 'ask', 'ask', 'release']);
  await link.ask(request(image), signal, listeners);
  expect(sent.slice(6).map(({ type }) => type)).toEqual(['image', 'image', 'ask', 'release']);
});
