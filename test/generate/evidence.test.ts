/** The regions of the image from which an answer was read. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import { type EvidenceCell, EvidenceCollector, evidenceHeads } from '../../src/generate/evidence.ts';
import { byteTokenizer } from './scripted.ts';

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

describe('evidence', () => {
  /** Four cells, 2 x 2, with unit vectors as keys. boi and eoi are not read. */
  const keys = Float32Array.from([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1].map((x) => 40 * x));
  const collect = async (reads: 'next' | 'last', rows: number[]) => {
    const ranges: unknown[] = [];
    const sequence = {
      async readKeys(range: object) {
        ranges.push(range);
        return keys;
      },
    };
    const collector = new EvidenceCollector([{ layer: 3, head: 1, reads }], {
      headSize: 4,
      heads: 4,
      kvHeads: 2,
    });
    // Head 1 of 4 attends to one cell, the other heads to another.
    const queries = (cell: number) =>
      Float32Array.from({ length: 16 }, (_, i) => (Math.floor(i / 4) === 1 ? Number(i % 4 === cell) : 9));
    const [first, ...others] = rows;
    collector.promptTap.onQueries(3, queries(first ?? 0));
    await collector.begin(sequence, { start: 1, end: 7 });
    for (const [i, cell] of others.entries()) collector.tap(i + 1).onQueries(3, queries(cell));
    return { collector, ranges };
  };
  const cellOf = ({ x, y }: EvidenceCell) => y * 4 + x * 2;

  it('reads the keys of the cells once, from the key head of the query head', async () => {
    const { ranges } = await collect('next', [0]);
    expect(ranges).toEqual([{ layer: 3, head: 0, start: 2, end: 6 }]);
  });

  it('gives a token the cells that the previous row attends to, and the answer the cells of all tokens', async () => {
    const { collector } = await collect('next', [2, 1, 1]);
    const ids = [...Buffer.from('abc')];
    const { columns, rows, cells, tokens } = collector.evidence(byteTokenizer, ids, 'abc');
    expect([columns, rows]).toEqual([2, 2]);
    expect(tokens.map(({ start, end, cells }) => [start, end, cells.map(cellOf)])).toEqual([
      [0, 1, [2]],
      [1, 2, [1]],
      [2, 3, [1]],
    ]);
    expect(cells.map(cellOf)).toEqual([1, 2]);
    expect(cells[0]).toEqual({ x: 0.5, y: 0, width: 0.5, height: 0.5, score: 0.6667 });
  });

  it('gives a token the cells of its own row if the head attends to the current character', async () => {
    const { collector } = await collect('last', [0, 3, 1]);
    const { tokens } = collector.evidence(byteTokenizer, [...Buffer.from('ab')], 'ab');
    expect(tokens.map(({ cells }) => cells.map(cellOf))).toEqual([[3], [1]]);
  });

  it('omits white space, and counts characters from the start of the trimmed text', async () => {
    const { collector } = await collect('next', [0, 1, 2, 3]);
    const { tokens } = collector.evidence(byteTokenizer, [...Buffer.from(' a b')], 'a b');
    expect(tokens.map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it('uses all heads in the third quarter of the layers of an unknown model', () => {
    const heads = evidenceHeads({ layers: 32, heads: 32 }, false);
    expect([heads.length, heads[0]?.layer, heads.at(-1)?.layer]).toEqual([256, 16, 23]);
  });
});

describe.skipIf(!existsSync(file('models/demo/config.json')))('evidence of the demo model', () => {
  // Positions as shares of the image: the shop is at the top, the total at the lower right.
  it('marks the lines from which answers are read, and does not depend on other answers', async () => {
    using model = await CogVLM2.load({ model: file('models/demo'), device: 'cpu', threads: 1 });
    const ask = (question: string, evidence = true) =>
      model.ask(file('examples/receipts/cafe.png'), question, { evidence }).result();
    const [shop, total, without] = await Promise.all([
      ask('What is the name of the shop?'),
      ask('What is the total?'),
      ask('What is the total?', false),
    ]);
    expect(without.evidence).toBeUndefined();
    expect(without.text).toBe(total.text);
    expect([shop.evidence?.columns, shop.evidence?.tokens.length]).toEqual([12, expect.any(Number)]);
    if (shop.text === 'CORNER CAFE') expect(shop.evidence?.cells[0]?.y).toBeLessThan(0.25);
    if (total.text === '9.50') {
      expect(total.evidence?.cells[0]?.y).toBeGreaterThan(0.6);
      expect(total.evidence?.cells[0]?.x).toBeGreaterThan(0.6);
    }
    const alone = await ask('What is the total?');
    expect(alone.evidence).toEqual(total.evidence);
    expect(
      (await model.ask(null, 'Why?', { evidence: true, maxTokens: 2 }).result()).evidence,
    ).toBeUndefined();
  });
});
