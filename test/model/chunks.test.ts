import { describe, expect, test } from 'vitest';
import { type Chunk, nextChunk, type PromptRows } from '../../src/model/chunks.ts';
import { mostGgmlTextRows } from '../../src/model/ggml-attention.ts';
import { promptRows } from './tiny-checkpoint.ts';

const textIds = [11, 12, 13, 14, 15, 16, 17];
const imageTokens = 6;
// bos, boi, four patches, eoi, text
const prompt = promptRows(textIds, imageTokens);
const sizes = [1, 2, 3, 4, 5, 6, 7, 13, 14, 512];

/** All chunks from `start` on. */
function chunksOf(rows: PromptRows, start: number, size: number): Chunk[] {
  const chunks: Chunk[] = [];
  for (let from = start; from < rows.ids.length; from += chunks.at(-1)?.positions.length ?? 0)
    chunks.push(nextChunk(rows, from, { vision: size, language: Math.min(size, mostGgmlTextRows) }));
  return chunks;
}

/** The input of each row of the prompt: its id, or its row of the image. */
function rowsOf(chunks: readonly Chunk[]) {
  return chunks.flatMap((chunk) => {
    const inputs = chunk.pieces.flatMap((piece) =>
      'ids' in piece
        ? Array.from(piece.ids, (id) => `id ${id}`)
        : Array.from({ length: piece.count }, (_, i) => `image ${piece.imageRow + i}`),
    );
    expect(inputs.length).toBe(chunk.positions.length);
    return inputs.map((input, i) => ({ input, expert: chunk.expert, position: chunk.positions[i] }));
  });
}

/** The expected inputs, computed row by row. */
function wantedRows({ ids, tokenTypes, positions, visionRows }: PromptRows, start: number) {
  let imageRow = 0;
  const rows = Array.from(ids, (id, i) => ({
    input: tokenTypes[i] === 1 ? `image ${imageRow++}` : `id ${id}`,
    expert: visionRows[i] === 1 ? 'vision' : 'language',
    position: positions[i],
  }));
  return rows.slice(start);
}

describe.each(sizes)('chunks of at most %i rows', (size) => {
  test.each(Array.from({ length: prompt.ids.length }, (_, start) => start))('from row %i', (start) => {
    const chunks = chunksOf(prompt, start, size);
    expect(rowsOf(chunks)).toEqual(wantedRows(prompt, start));
    for (const { expert, positions } of chunks) {
      if (expert === 'language') expect(positions.length).toBeLessThanOrEqual(size);
    }
  });
});

test('the chunks are bos, then boi and the patches, then eoi and the text: no chunk mixes experts', () => {
  const [bos, image, rest, ...more] = chunksOf(prompt, 0, 512);
  expect(bos).toEqual({
    expert: 'language',
    pieces: [{ ids: Int32Array.of(1) }],
    positions: Int32Array.of(0),
  });
  expect(image).toEqual({
    expert: 'vision',
    pieces: [{ imageRow: 0, count: 5 }],
    positions: Int32Array.of(1, 2, 2, 2, 2),
  });
  expect(rest).toEqual({
    expert: 'language',
    pieces: [{ imageRow: 5, count: 1 }, { ids: Int32Array.from(textIds) }],
    positions: Int32Array.of(3, 4, 5, 6, 7, 8, 9, 10),
  });
  expect(more).toEqual([]);
});

test('image rows are counted from the beginning of the image', () => {
  const [patches] = chunksOf(prompt, 3, 512);
  expect(patches?.pieces).toEqual([{ imageRow: 2, count: 3 }]);
  const [eoi] = chunksOf(prompt, 6, 1);
  expect(eoi).toMatchObject({ expert: 'language', pieces: [{ imageRow: 5, count: 1 }] });
});

test('a text without an image is one chunk of the language expert', () => {
  const chunks = chunksOf(promptRows(textIds, 0), 0, 512);
  expect(chunks.map(({ expert, positions }) => [expert, [...positions]])).toEqual([
    ['language', [0, 1, 2, 3, 4, 5, 6, 7]],
  ]);
});

describe("the kernel of ggml for a row does not depend on the chunk's size", () => {
  const long = promptRows(
    Array.from({ length: 150 }, (_, i) => i % 50),
    2306,
  );

  test.each([1, 16, 60, 64, 100, 129, 511, 512, 9999])('about %i', (size) => {
    const chunks = chunksOf(long, 0, size);
    expect(rowsOf(chunks)).toEqual(wantedRows(long, 0));
    let visionRow = 0;
    for (const { expert, positions } of chunks) {
      const rows = positions.length;
      if (expert === 'language') {
        expect(rows).toBeLessThanOrEqual(Math.min(60, size)); // fewer than a tile of ggml's attention
      } else {
        expect(rows).toBeGreaterThanOrEqual(64);
        expect(rows).toBeLessThan(Math.max(64, size) + 64);
        expect(visionRow % 64).toBe(0);
        visionRow += rows;
      }
    }
    expect(visionRow).toBe(2305);
  });
});
