import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runBench } from '../../src/bench/bench.ts';
import { CpuWatch, type Stage, timeStage } from '../../src/bench/timing.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { renderBench } from '../../src/cli/commands/bench.ts';
import type { Cost } from '../../src/model/cost.ts';
import { tinyConfig, writeTinyCheckpoint } from '../model/tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

function costing(flop: number): Cost {
  return { linearFlop: flop, attentionFlop: 0, weightBytes: 0, cacheBytes: 0 };
}

/** A stage with equal pieces. It records each piece that runs. */
function stageOf(pieces: number, ran: number[], closed: () => void = () => {}): Stage {
  async function* run(): AsyncGenerator<Cost> {
    try {
      for (let i = 0; i < pieces; i++) {
        ran.push(i);
        yield costing(100);
      }
    } finally {
      closed();
    }
  }
  return { name: 'made up', unit: 'rows', count: pieces, whole: costing(100 * pieces), pieces: run() };
}

describe('a stage', () => {
  test('that fits its time limit runs completely, and its first piece is not timed', async () => {
    const ran: number[] = [];
    const result = await timeStage(stageOf(4, ran), 60_000);
    expect(ran).toEqual([0, 1, 2, 3]);
    expect(result.sampled).toBe(0.75);
    expect(result.flop).toBe(400);
  });

  test('that exceeds its time limit is stopped after two pieces, and closed', async () => {
    const ran: number[] = [];
    let closed = false;
    const result = await timeStage(
      stageOf(50, ran, () => {
        closed = true;
      }),
      0,
    );
    expect(ran).toEqual([0, 1]);
    expect(result.sampled).toBe(0.02);
    expect(result.count).toBe(50);
    expect(closed).toBe(true);
  });

  test('with one piece is timed with this piece', async () => {
    const result = await timeStage(stageOf(1, []), 0);
    expect(result.sampled).toBe(1);
    expect(result.ms).toBeGreaterThan(0);
  });
});

test('a model is measured stage by stage, and the result has no names of machines or folders', async () => {
  const checkpoint = openCheckpoint(writeTinyCheckpoint(path.join(folder, 'tiny'), { config: tinyConfig }));
  const told: string[] = [];
  const result = await runBench(checkpoint, {
    secondsAStage: 0.2,
    matrixRows: 64,
    device: 'cpu',
    threads: 1,
    onStage: (name) => told.push(name),
  });
  // The matrices for the peaks are not memory of the model, so they are made after its peak memory is read.
  expect(told).toEqual(['load', 'vision', 'image rows', 'prompt', 'decode', 'peaks']);
  expect(result.rates.map(({ type }) => type)).toEqual(['f32']);
  expect(result.peaks.flopPerSecond).toBeGreaterThan(0);
  for (const stage of result.stages) {
    expect(stage.sampled, stage.stage).toBeGreaterThan(0);
    expect(stage.sampled, stage.stage).toBeLessThanOrEqual(1);
    expect(stage.ms, stage.stage).toBeGreaterThan(0);
    expect(stage.limitMs, stage.stage).toBeGreaterThan(0);
    expect(stage.cpuMs, stage.stage).toBeGreaterThan(0);
  }
  const [vision, rows, prompt, decode] = result.stages;
  expect([vision?.count, rows?.count, prompt?.count, decode?.count]).toEqual([1, 5, 128, 32]);
  const json = JSON.stringify(result);
  expect(json).not.toContain(folder);
  const text = renderBench(result);
  expect(text).toContain('vision');
  expect(text).not.toContain('NaN');
});

test.runIf(process.platform === 'linux')('the CPU time of other programs is a share from 0 to 1', () => {
  const share = new CpuWatch().othersShare();
  expect(share === null || (share >= 0 && share <= 1)).toBe(true);
});
