import { expect, test } from 'vitest';
import { AnswerStream, type Emit } from '../../src/generate/answer-stream.ts';
import type { Answer } from '../../src/generate/types.ts';

const answer = { text: 'abc', finishReason: 'stop' } as Answer;
const turn = () => new Promise(setImmediate);

/** Emits each letter in its own turn of the event loop, until it is stopped. */
async function letters(emit: Emit, signal: AbortSignal): Promise<Answer> {
  for (const text of 'abcdefgh') {
    await turn();
    if (signal.aborted) break;
    emit({ type: 'text', text });
  }
  return answer;
}

test('events come in order, and the answer is the last one', async () => {
  const events: string[] = [];
  for await (const event of new AnswerStream(letters))
    events.push(event.type === 'text' ? event.text : event.type);
  expect(events).toEqual([...'abcdefgh', 'done']);
});

test('the stream can give only the text, or only the answer', async () => {
  const pieces: string[] = [];
  for await (const piece of new AnswerStream(letters).text()) pieces.push(piece);
  expect(pieces.join('')).toBe('abcdefgh');
  expect(await new AnswerStream(letters).result()).toBe(answer);
});

test('events that come before the reader waits are all delivered', async () => {
  const stream = new AnswerStream(async (emit) => {
    for (const text of 'xyz') emit({ type: 'text', text });
    return answer;
  });
  const types: string[] = [];
  for await (const { type } of stream) {
    await turn();
    types.push(type);
  }
  expect(types).toEqual(['text', 'text', 'text', 'done']);
});

test('the work begins when the stream is read', async () => {
  let begun = false;
  const stream = new AnswerStream(async () => {
    begun = true;
    return answer;
  });
  await turn();
  expect(begun).toBe(false);
  await stream.result();
  expect(begun).toBe(true);
});

test('leaving the iteration early stops the work, and waits for its end', async () => {
  const said: string[] = [];
  let ended = false;
  const stream = new AnswerStream(async (emit, signal) => {
    const result = await letters((event) => {
      if (event.type === 'text') said.push(event.text);
      emit(event);
    }, signal);
    await turn();
    ended = true;
    return result;
  });
  for await (const event of stream) if (event.type === 'text' && event.text === 'b') break;
  expect(ended).toBe(true);
  expect(said.length).toBeLessThanOrEqual(3);
});

test('an error of the reader also stops the work', async () => {
  let aborted: AbortSignal | undefined;
  const stream = new AnswerStream((emit, signal) => {
    aborted = signal;
    return letters(emit, signal);
  });
  const read = async () => {
    for await (const _ of stream) throw new Error('the reader gave up');
  };
  await expect(read()).rejects.toThrow('the reader gave up');
  expect(aborted?.aborted).toBe(true);
});

test('an error of the work reaches the reader, after the events before it', async () => {
  const stream = new AnswerStream(async (emit) => {
    emit({ type: 'text', text: 'before' });
    await turn();
    throw new Error('mine');
  });
  const texts: string[] = [];
  const read = async () => {
    for await (const text of stream.text()) texts.push(text);
  };
  await expect(read()).rejects.toThrow('mine');
  expect(texts).toEqual(['before']);
  const failing = new AnswerStream(async () => {
    throw new Error('mine too');
  });
  await expect(failing.result()).rejects.toThrow('mine too');
});

test('a stream can be read only once', async () => {
  const stream = new AnswerStream(letters);
  await stream.result();
  await expect(stream.result()).rejects.toThrow('only once');
});
