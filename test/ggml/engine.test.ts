import { describe, expect, test } from 'vitest';
import { findDevice, listDevices } from '../../src/ggml/devices.ts';
import { Engine, TensorSet } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import { Context } from '../../src/ggml/tensor.ts';
import { caught, rejected } from '../checkpoint/caught.ts';

const newEngine = () => new Engine({ device: 'cpu', threads: 1 });

/** A product of n x n ones, which still runs while the test does something else. */
function product(engine: Engine, n: number): Promise<Map<string, Float32Array>> {
  const graph = new Graph(engine);
  const ones = graph.input('f32', [n, n], new Float32Array(n * n).fill(1));
  graph.output('y', graph.mulMat(ones, ones));
  return graph.run();
}

const turn = () => new Promise(setImmediate);

describe('devices', () => {
  test('the processor can be selected by kind and by name, in upper and lower case', () => {
    const cpu = listDevices().find(({ kind }) => kind === 'cpu');
    expect(cpu?.memoryTotalBytes).toBeGreaterThan(0);
    expect(findDevice('cpu').device.name).toBe(cpu?.name);
    // Less than ggml reports, because this process uses memory.
    expect(cpu?.memoryFreeBytes).toBeLessThan(cpu?.memoryTotalBytes ?? 0);
    expect(findDevice(cpu!.name.toLowerCase()).device.kind).toBe('cpu');
  });

  test('the processor reports no GPU memory', () => {
    using engine = newEngine();
    expect(engine.gpuMemory()).toBeNull();
  });

  test('an unknown device is refused, with the existing ones', () => {
    const error = caught(() => findDevice('abacus'));
    expect(error.code).toBe('invalid_value');
    expect(error.message).toContain('"abacus"');
    for (const { name } of listDevices()) expect(error.message).toContain(name);
  });

  test.each([0, -1, 1.5, 513, Number.NaN])('%d threads are refused', (threads) => {
    const error = caught(() => new Engine({ device: 'cpu', threads }));
    expect(error.code).toBe('invalid_value');
    expect(error.message).toContain(`1 to 512; got ${threads}`);
  });
});

describe('a graph that is repeated', () => {
  const doubled = (engine: Engine) => {
    const graph = new Graph(engine);
    const x = graph.input('f32', [2], Float32Array.of(1, 2));
    graph.output('y', graph.add(x, x));
    return { graph, x };
  };

  test('computes its new inputs', async () => {
    using engine = newEngine();
    const { graph, x } = doubled(engine);
    using _ = graph;
    expect([...(await graph.repeat())!.get('y')!]).toEqual([2, 4]);
    graph.refill(x, Float32Array.of(5, 6));
    expect([...(await graph.repeat())!.get('y')!]).toEqual([10, 12]);
    expect(caught(() => graph.refill(x, new Float32Array(3))).message).toContain('12 bytes');
  });

  test('is refused if another graph used its memory', async () => {
    using engine = newEngine();
    const { graph } = doubled(engine);
    using _ = graph;
    const results = await Promise.all([graph.repeat(), product(engine, 8), graph.repeat()]);
    expect(results.map((result) => result === null)).toEqual([false, false, true]);
  });
});

test('objects of an engine are freed once: at their disposal, or with the engine', async () => {
  const engine = newEngine();
  const log: string[] = [];
  const free = engine.owns(() => log.push('told'));
  engine.owns(() => log.push('end'));
  free();
  free();
  expect(log).toEqual(['told']);
  engine[Symbol.dispose]();
  await turn();
  free();
  expect(log).toEqual(['told', 'end']);
});

describe('exclusive work', () => {
  test('runs in order, one at a time', async () => {
    using engine = newEngine();
    const log: string[] = [];
    const work = (name: string, turns: number) =>
      engine.exclusively(async () => {
        log.push(`${name} begins`);
        for (let i = 0; i < turns; i++) await turn();
        log.push(`${name} ends`);
        return name;
      });
    expect(await Promise.all([work('a', 5), work('b', 1), work('c', 0)])).toEqual(['a', 'b', 'c']);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  test('reports a failure to its caller, and continues with the next', async () => {
    using engine = newEngine();
    const failed = engine.exclusively(async () => {
      throw new Error('mine');
    });
    const next = engine.exclusively(async () => 'done');
    await expect(failed).rejects.toThrow('mine');
    expect(await next).toBe('done');
  });

  test('keeps graphs apart that begin at the same time', async () => {
    using engine = newEngine();
    const sizes = [64, 8, 96, 16];
    const results = await Promise.all(sizes.map((n) => product(engine, n)));
    for (const [i, result] of results.entries()) {
      const y = result.get('y')!;
      expect(y.length).toBe(sizes[i]! ** 2);
      expect(y.every((value) => value === sizes[i])).toBe(true);
    }
  });
});

describe('dispose', () => {
  test('calls of a disposed engine are refused', async () => {
    const engine = newEngine();
    engine[Symbol.dispose]();
    engine[Symbol.dispose]();
    expect((await rejected(engine.exclusively(async () => 1))).code).toBe('disposed');
    const other = newEngine();
    const graph = new Graph(other);
    graph.output('y', graph.input('f32', [1], Float32Array.of(1)));
    other[Symbol.dispose]();
    expect((await rejected(graph.run())).code).toBe('disposed');
  });

  test('a running graph ends, waiting graphs are refused, then all objects are freed in reverse order', async () => {
    const engine = newEngine();
    const log: string[] = [];
    engine.owns(() => log.push('first freed'));
    engine.owns(() => log.push('second freed'));
    const running = product(engine, 512).then((result) => {
      log.push('ran');
      return result.get('y')?.[0];
    });
    const waiting = rejected(product(engine, 8));
    await turn();
    engine[Symbol.dispose]();
    expect(log).toEqual([]);
    expect(await running).toBe(512);
    expect((await waiting).code).toBe('disposed');
    await turn();
    expect(log).toEqual(['ran', 'second freed', 'first freed']);
  });

  test('a state may be disposed while a graph reads it, but cannot be read afterwards', async () => {
    using engine = newEngine();
    const n = 256;
    const state = new TensorSet(engine, [['x', 'f32', [n, n]]] as const);
    const fill = new Graph(engine);
    fill.effect(fill.copy(fill.input('f32', [n, n], new Float32Array(n * n).fill(2)), state.get('x')));
    await fill.run();
    const graph = new Graph(engine);
    graph.output('y', graph.mulMat(state.get('x'), state.get('x')));
    const running = graph.run();
    state[Symbol.dispose]();
    state[Symbol.dispose]();
    expect((await running).get('y')?.every((value) => value === 4 * n)).toBe(true);
    expect(caught(() => state.get('x')).code).toBe('disposed');
  });

  test('a freed context makes no tensors', () => {
    const context = Context.forTensors(2);
    context[Symbol.dispose]();
    context[Symbol.dispose]();
    expect(caught(() => context.tensor('f32', [1])).code).toBe('disposed');
  });
});
