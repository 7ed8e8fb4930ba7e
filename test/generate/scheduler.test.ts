import { describe, expect, test } from 'vitest';
import type { SchedulerLimits } from '../../src/generate/policies.ts';
import { type ScheduledModel, Scheduler } from '../../src/generate/scheduler.ts';
import type { Sequence, SequenceState } from '../../src/generate/sequence.ts';
import type { PromptRows } from '../../src/model/chunks.ts';
import type { PrefillOptions } from '../../src/model/cogvlm2.ts';
import type { KvCache } from '../../src/model/kv-cache.ts';
import type { DecodeStep } from '../../src/model/step-graph.ts';
import { buildPrompt } from '../../src/text/prompt.ts';
import { rejected } from '../checkpoint/caught.ts';

/** The scheduler with a model that computes nothing, and records what it runs. */

interface Ran {
  prefills: { text: string; start: number }[];
  /** Number of sequences in each decode step. */
  decodes: number[];
  copies: number[];
}

function setUp(limits: Partial<SchedulerLimits> = {}) {
  const ran: Ran = { prefills: [], decodes: [], copies: [] };
  const model = {
    newCache(capacity: number) {
      const cache = {
        capacity,
        length: 0,
        async copyFrom(_: KvCache, end: number) {
          ran.copies.push(end);
          cache.length = end;
        },
        [Symbol.dispose]() {},
      };
      return cache as unknown as KvCache;
    },
    /** Every prompt has two chunks. */
    async *prefillInChunks(prompt: PromptRows, cache: KvCache, options: PrefillOptions) {
      const start = options.start ?? 0;
      ran.prefills.push({ text: Buffer.from(prompt.ids.slice(1)).toString(), start });
      const end = prompt.ids.length;
      for (const length of [start + Math.ceil((end - start) / 2), end]) {
        options.signal?.throwIfAborted();
        await new Promise(setImmediate);
        cache.length = length;
        options.onTokens?.(length, end);
        if (length < end) yield;
      }
      return new Float32Array(1);
    },
    async decode(steps: readonly DecodeStep[]) {
      ran.decodes.push(steps.length);
      await new Promise(setImmediate);
      for (const { cache } of steps) cache.length++;
      return steps.map(() => new Float32Array(1));
    },
    async *encodeInBlocks() {
      yield;
      throw new Error('no image in these tests');
    },
  } as unknown as ScheduledModel;
  const scheduler = new Scheduler(model, { sequences: 4, kvTokens: 4096, queued: 10, ...limits });
  return { scheduler, ran };
}

const bytes = { encode: (text: string) => [...Buffer.from(text)] };

function requestOf(
  text: string,
  more: { client?: string; tokens?: number; image?: string; adapter?: string } = {},
) {
  const prompt = buildPrompt(bytes, {
    template: 'base',
    query: text,
    imageTokenCount: more.image ? 6 : 0,
    bosId: 1,
    padId: 0,
  });
  const states: SequenceState[] = [];
  const stop = new AbortController();
  const request = {
    client: more.client ?? '',
    prompt,
    imageKey: more.image ?? null,
    adapter: more.adapter ?? '',
    tokens: more.tokens ?? 256,
    signal: stop.signal,
    onState: (state: SequenceState) => states.push(state),
  };
  return { request, states, stop };
}

const onTokens = () => {};
const prefill = (sequence: Sequence) => sequence.prefill({ image: null, onTokens });
/** Waits until all pending work has run. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
};

describe('a sequence', () => {
  test('goes through its states, and reports each', async () => {
    const { scheduler, ran } = setUp();
    const { request, states } = requestOf('abc');
    const sequence = await scheduler.submit(request);
    expect([sequence.state, scheduler.states.prefilling]).toEqual(['prefilling', 1]);
    await prefill(sequence);
    expect(scheduler.states).toEqual({ queued: 0, encoding: 0, prefilling: 0, decoding: 1 });
    await sequence.step(65, 4);
    expect(scheduler.kvTokens).toEqual({ inUse: 256, allocated: 256 });
    sequence[Symbol.dispose]();
    sequence[Symbol.dispose]();
    expect(states).toEqual(['queued', 'prefilling', 'decoding', 'finished']);
    expect(scheduler.states).toEqual({ queued: 0, encoding: 0, prefilling: 0, decoding: 0 });
    expect(scheduler.kvTokens).toEqual({ inUse: 0, allocated: 256 });
    expect(ran).toMatchObject({ prefills: [{ text: 'abc', start: 0 }], decodes: [1] });
  });

  test('with an image is in the state encoding until its prompt runs', async () => {
    const { scheduler } = setUp();
    const { request, states } = requestOf('abc', { image: 'an image' });
    using sequence = await scheduler.submit(request);
    expect([sequence.state, sequence.holdsImage]).toEqual(['encoding', false]);
    await prefill(sequence);
    expect(states).toEqual(['queued', 'encoding', 'prefilling', 'decoding']);
    expect(sequence.holdsImage).toBe(true);
  });
});

describe('with KV memory for fewer sequences than slots', () => {
  test('one runs and three are queued, and each is notified at its admission', async () => {
    const { scheduler } = setUp({ sequences: 4, kvTokens: 1024 });
    const requests = ['a', 'b', 'c', 'd'].map((text) => requestOf(text, { tokens: 800 }));
    const submitted = requests.map(({ request }) => scheduler.submit(request));
    const first = await submitted[0]!;
    await settle();
    expect(scheduler.states).toEqual({ queued: 3, encoding: 0, prefilling: 1, decoding: 0 });
    expect(requests.map(({ states }) => states.at(-1))).toEqual(['prefilling', 'queued', 'queued', 'queued']);
    await new Promise((resolve) => setTimeout(resolve, 20));
    first[Symbol.dispose]();
    const second = await submitted[1]!;
    expect(first.queueMs).toBeLessThan(second.queueMs);
    expect(second.queueMs).toBeGreaterThan(10);
    expect(scheduler.states).toMatchObject({ queued: 2, prefilling: 1 });
    second[Symbol.dispose]();
    for (const left of submitted.slice(2)) (await left)[Symbol.dispose]();
    expect(scheduler.states).toEqual({ queued: 0, encoding: 0, prefilling: 0, decoding: 0 });
  });

  test('a small sequence does not pass a large one', async () => {
    const { scheduler } = setUp({ sequences: 4, kvTokens: 1024 });
    const first = await scheduler.submit(requestOf('a', { tokens: 512 }).request);
    const large = requestOf('b', { tokens: 1024 });
    const small = requestOf('c', { tokens: 256 });
    const admitted: string[] = [];
    const both = [large, small].map(({ request }, i) =>
      scheduler.submit(request).then((sequence) => {
        admitted.push(['large', 'small'][i]!);
        sequence[Symbol.dispose]();
      }),
    );
    await settle();
    expect(admitted).toEqual([]);
    first[Symbol.dispose]();
    await Promise.all(both);
    expect(admitted).toEqual(['large', 'small']);
  });
});

describe('the queue', () => {
  test('is round-robin over clients', async () => {
    const { scheduler } = setUp({ sequences: 1 });
    const order: string[] = [];
    const clients = ['many', 'many', 'many', 'few', 'other', 'few'];
    const first = await scheduler.submit(requestOf('x', { client: 'many' }).request);
    const all = clients.map(async (client, i) => {
      using _ = await scheduler.submit(requestOf(`${i}`, { client }).request);
      order.push(client);
    });
    await settle();
    first[Symbol.dispose]();
    await Promise.all(all);
    expect(order).toEqual(['few', 'other', 'many', 'few', 'many', 'many']);
  });

  test('is bounded, and the error has the numbers', async () => {
    const { scheduler } = setUp({ sequences: 1, queued: 2 });
    const submitted = ['a', 'b', 'c'].map((text) => scheduler.submit(requestOf(text).request));
    const error = await rejected(scheduler.submit(requestOf('d').request));
    expect(error).toMatchObject({ code: 'queue_full' });
    expect(error.message).toContain('1 questions are being answered and 2 are queued');
    for (const one of submitted) (await one)[Symbol.dispose]();
  });

  test('is left at an abort, and at the end of the model', async () => {
    const { scheduler } = setUp({ sequences: 1 });
    using _ = await scheduler.submit(requestOf('a').request);
    const leaving = requestOf('b');
    const left = rejected(scheduler.submit(leaving.request));
    const staying = expect(scheduler.submit(requestOf('c').request)).rejects.toThrow('the end');
    leaving.stop.abort();
    expect((await left).code).toBe('aborted');
    expect(scheduler.states.queued).toBe(1);
    scheduler.rejectQueued(new Error('the end'));
    await staying;
  });
});

describe('common first rows of several prompts', () => {
  test('run once: the second waits for the first, and copies them', async () => {
    const { scheduler, ran } = setUp();
    const [one, two] = [requestOf('the same beginning, 1'), requestOf('the same beginning, 2')];
    const first = await scheduler.submit(one.request);
    let isAdmitted = false;
    const later = scheduler.submit(two.request).then((sequence) => {
      isAdmitted = true;
      return sequence;
    });
    await settle();
    expect([isAdmitted, two.states.at(-1)]).toEqual([false, 'prefilling']);
    await prefill(first);
    const second = await later;
    const shared = 1 + 'the same beginning, '.length;
    expect([ran.copies, second.cachedTokens]).toEqual([[shared], shared]);
    await prefill(second);
    expect(ran.prefills.map(({ start }) => start)).toEqual([0, shared]);
  });

  test('do not delay the second if the first was aborted', async () => {
    const { scheduler, ran } = setUp();
    const first = await scheduler.submit(requestOf('the same beginning, 1').request);
    const later = scheduler.submit(requestOf('the same beginning, 2').request);
    await settle();
    first[Symbol.dispose]();
    using second = await later;
    await prefill(second);
    expect(ran).toMatchObject({ copies: [], prefills: [{ start: 0 }] });
  });

  test('do not delay a prompt with mostly other rows', async () => {
    const { scheduler } = setUp();
    using _ = await scheduler.submit(requestOf('the').request);
    using second = await scheduler.submit(requestOf('the rest is something else').request);
    expect(second.state).toBe('prefilling');
  });
});

describe('the device', () => {
  test('runs one decode step for all sequences that wait for a token', async () => {
    const { scheduler, ran } = setUp();
    const sequences = await Promise.all(
      ['a', 'b', 'c'].map((text) => scheduler.submit(requestOf(text).request)),
    );
    for (const sequence of sequences) await prefill(sequence);
    await Promise.all(sequences.map((sequence) => sequence.step(65, 2)));
    expect(ran.decodes).toEqual([3]);
    expect([scheduler.decodeSteps, scheduler.tokens]).toEqual([1, 3]);
    for (const sequence of sequences) sequence[Symbol.dispose]();
  });

  test('decodes between the chunks of a prompt', async () => {
    const { scheduler, ran } = setUp();
    using decoding = await scheduler.submit(requestOf('a').request);
    await prefill(decoding);
    using other = await scheduler.submit(requestOf('another prompt').request);
    const prefilling = prefill(other);
    for (let i = 0; i < 5; i++) await decoding.step(65, 2 + i);
    await prefilling;
    expect(ran.decodes.every((count) => count === 1)).toBe(true);
    expect(other.state).toBe('decoding');
  });

  test('stops a prompt between two chunks at an abort', async () => {
    const { scheduler } = setUp();
    const { request, stop } = requestOf('a prompt');
    using sequence = await scheduler.submit(request);
    const left = expect(
      sequence.prefill({ image: null, onTokens: () => stop.abort(new Error('left')) }),
    ).rejects.toThrow('left');
    await left;
    expect(sequence.cache.rows.ids.length).toBe(sequence.cache.cache.length);
  });
});
