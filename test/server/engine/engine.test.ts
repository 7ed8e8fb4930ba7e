import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AnswerStream } from '../../../src/generate/answer-stream.ts';
import type { Answer, SequenceState } from '../../../src/index.ts';
import { Engine, MAX_RESENDS } from '../../../src/server/engine/engine.ts';
import { hostEngine } from '../../../src/server/engine/host.ts';
import type { HostedModel } from '../../../src/server/engine/protocol.ts';
import { line } from '../in-process.ts';

const forever = () => new Promise<never>(() => {});

/** The answer of an engine to a question. `die` ends the engine's process. */
type Script = (question: string, onState: (state: SequenceState) => void, die: () => void) => Promise<void>;

/** An engine with a scripted model, the questions that were sent to it, and the pauses before its restarts. */
async function scripted(script: Script) {
  const questions: string[] = [];
  const pauses: number[] = [];
  const startProcess = () => {
    const { parent, child } = line();
    const answer = async (question: string, onState: (state: SequenceState) => void) => {
      questions.push(question);
      await script(question, onState, parent.kill);
      return { text: `answer to ${question}` } as Answer;
    };
    const model = {
      info: { name: 'scripted' },
      ask: (_image: null, question: string, { onState = () => {} }: Parameters<HostedModel['ask']>[2] = {}) =>
        new AnswerStream(() => answer(question, onState)),
      tokenizeInBackground: async (text: string) => {
        await answer(text, () => {});
        return [text.length];
      },
    };
    hostEngine(child, async () => model as unknown as HostedModel);
    return parent;
  };
  const engine = new Engine(startProcess, {}, { onCrash: (_why, pauseMs) => pauses.push(pauseMs) });
  await engine.start();
  const ask = async (question: string) => {
    const request = { image: null, question, history: [], options: {} };
    return (await engine.ask(request, new AbortController().signal, () => {}).result()).text;
  };
  return { engine, ask, questions, pauses };
}

const stopped = { code: 'engine_stopped' };
const times = (questions: string[], question: string) => questions.filter((each) => each === question).length;

// The pauses before restarts pass 100 times faster. The connection in memory uses setImmediate, which stays real.
let clock: NodeJS.Timeout;
beforeEach(() => {
  clock = setInterval(() => vi.advanceTimersByTime(200), 2);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
  clearInterval(clock);
});

it.each<[string, SequenceState[]]>([
  ['before its first state arrives', []],
  ['while its image is encoded', ['queued', 'encoding']],
  ['while its prompt runs', ['queued', 'prefilling']],
])('a request that ends the engine %s is sent twice only', async (_when, states) => {
  const { ask, questions, engine } = await scripted(async (_question, onState, die) => {
    for (const state of states) onState(state);
    // The states arrive first.
    setImmediate(() => setImmediate(die));
    await forever();
  });
  await expect(ask('hostile')).rejects.toMatchObject(stopped);
  expect(questions).toEqual(['hostile', 'hostile']);
  expect(engine.restarts).toBe(2);
});

it('a call that ends the engine is sent twice only', async () => {
  const { engine, questions } = await scripted(async (_text, _onState, die) => die());
  await expect(engine.call('tokenize', 'hostile')).rejects.toMatchObject(stopped);
  expect(questions).toEqual(['hostile', 'hostile']);
});

it('requests that wait in the queue of the engine survive the crashes of two hostile neighbours', async () => {
  let hostile = 0;
  const { ask, questions } = await scripted(async (question, onState, die) => {
    onState('queued');
    if (question !== 'hostile') return hostile < 4 ? forever() : undefined;
    hostile++;
    onState('encoding');
    setImmediate(() => setImmediate(die));
    await forever();
  });
  const waiting = ['one', 'two', 'three'].map(ask);
  await expect(ask('hostile')).rejects.toMatchObject(stopped);
  await expect(ask('hostile')).rejects.toMatchObject(stopped);
  expect(await Promise.all(waiting)).toEqual(['answer to one', 'answer to two', 'answer to three']);
  expect(times(questions, 'hostile')).toBe(4);
});

it('of requests without a state, those that do not end the engine are answered, wherever the hostile one is', async () => {
  for (const order of [
    ['hostile', 'one', 'two'],
    ['one', 'hostile', 'two'],
    ['one', 'two', 'hostile'],
  ]) {
    let crashes = 0;
    const { ask, questions } = await scripted(async (question, _onState, die) => {
      if (question === 'hostile') {
        crashes++;
        setImmediate(die);
      }
      // The first time, all of them are being prepared when the engine ends.
      if (question === 'hostile' || crashes === 0) await forever();
    });
    const results = await Promise.allSettled(order.map(ask));
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'refused'))).toEqual(
      order.map((question) => (question === 'hostile' ? 'refused' : `answer to ${question}`)),
    );
    expect(times(questions, 'hostile')).toBe(2);
  }
});

it('a request that only waited is given up, too, when the engine ends again and again', async () => {
  const { ask, questions } = await scripted(async (_question, onState, die) => {
    onState('queued');
    setImmediate(() => setImmediate(die));
    await forever();
  });
  await expect(ask('unlucky')).rejects.toMatchObject(stopped);
  expect(questions.length).toBeLessThanOrEqual(1 + MAX_RESENDS.waiting);
  expect(questions.length).toBeGreaterThan(3);
});

it('a client that repeats a hostile request meets longer and longer pauses, and nothing of it is kept', async () => {
  const { engine, ask, pauses } = await scripted(async (_question, _onState, die) => {
    die();
    await forever();
  });
  for (let i = 0; i < 20; i++) await expect(ask('hostile')).rejects.toMatchObject(stopped);
  expect(pauses.slice(0, 4)).toEqual([0, 1_000, 2_000, 4_000]);
  expect(Math.max(...pauses)).toBeGreaterThan(8_000);
  // The requests that arrived during a pause did not end the engine once more.
  expect(engine.restarts).toBeLessThan(20);
});
