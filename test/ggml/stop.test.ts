import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { dtypes } from '../../src/ggml/dtype.ts';
import { Engine, TensorSet } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import { ggml } from '../../src/ggml/library.ts';
import { MappedFile } from '../../src/ggml/mapped-file.ts';
import type { Tensor } from '../../src/ggml/tensor.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-stop-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A graph with hundreds of products. The last one is written to `kept` [128]. */
function longGraph(engine: Engine, kept: Tensor): Graph {
  const graph = new Graph(engine);
  const [size, rows] = [128, 256];
  const weight = graph.input('f32', [size, size], new Float32Array(size * size).fill(1 / size));
  let x = graph.input('f32', [size, rows], new Float32Array(size * rows).fill(1));
  for (let i = 0; i < 500; i++) x = graph.mulMat(weight, x);
  graph.effect(graph.copy(graph.rows(x, 0, 1), kept));
  return graph;
}

async function read(engine: Engine, tensor: Tensor): Promise<number | undefined> {
  const graph = new Graph(engine);
  graph.output('kept', graph.rows(tensor, 0, 1));
  return (await graph.run()).get('kept')?.[0];
}

test('an abort ends the running graph before its last operation, and the next graph runs completely', async () => {
  using engine = new Engine({ device: 'cpu', threads: 1 });
  using state = new TensorSet(engine, [['kept', 'f32', [128, 1]] as const]);
  const kept = state.get('kept');
  const seven = new Graph(engine);
  seven.effect(seven.copy(seven.input('f32', [128, 1], new Float32Array(128).fill(7)), kept));
  await seven.run();
  const stop = new AbortController();
  const reason = new Error('enough');
  const run = longGraph(engine, kept).run(stop.signal);
  setImmediate(() => stop.abort(reason));
  await expect(run).rejects.toBe(reason);
  expect(await read(engine, kept)).toBe(7);
  await longGraph(engine, kept).run(new AbortController().signal);
  expect(await read(engine, kept)).toBeCloseTo(1, 3);
});

test('an aborted signal runs nothing', async () => {
  using engine = new Engine({ device: 'cpu', threads: 1 });
  using state = new TensorSet(engine, [['kept', 'f32', [128, 1]] as const]);
  const reason = new Error('before');
  await expect(longGraph(engine, state.get('kept')).run(AbortSignal.abort(reason))).rejects.toBe(reason);
});

test.runIf(process.platform === 'linux')(
  'evicted pages of a mapped file leave memory, and are read again with the same content',
  () => {
    const file = path.join(folder, 'mapped');
    const sizeBytes = 64 * 2 ** 20;
    writeFileSync(file, Buffer.from(new Float32Array(sizeBytes / 4).fill(1.5).buffer));
    using mapped = new MappedFile(file);
    const readAll = () =>
      ggml().number('ggml_validate_row_data', dtypes.f32.id, mapped.address, mapped.sizeBytes);
    expect(readAll()).toBe(1);
    const before = residentFileBytes();
    mapped.evictPages(mapped.address, mapped.sizeBytes);
    expect(before - residentFileBytes()).toBeGreaterThan(0.9 * sizeBytes);
    expect(readAll()).toBe(1);
    expect(mapped.holds(mapped.address + BigInt(sizeBytes - 1))).toBe(true);
    expect(mapped.holds(mapped.address + BigInt(sizeBytes))).toBe(false);
  },
);

/** Bytes of mapped files in the memory of this process. */
function residentFileBytes(): number {
  const kilobytes = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
