/** Which of a layer's two sets of weights a row is multiplied with. */
export type Expert = 'language' | 'vision';

/** Rows of a prompt that run through the decoder together. Their inputs are embeddings of ids and rows of the image tokens. */
export interface Chunk {
  expert: Expert;
  pieces: ({ ids: Int32Array } | { imageRow: number; count: number })[];
  positions: Int32Array;
}

/** A prompt as token types (1 for image tokens), with each row's expert and position. */
export interface PromptRows {
  ids: Int32Array;
  tokenTypes: Uint8Array;
  positions: Int32Array;
  /** 1 for rows of the vision expert. */
  visionRows: Uint8Array;
}

/**
 * A chunk of image rows is a whole number of tiles, except for the last chunk. ggml's attention and its packed products take
 * rows in groups whose sizes divide this number, and compute the remaining rows with other kernels that round differently. So a
 * row's result does not depend on the size of the chunk.
 */
const tileRows = 64;

/**
 * Maximum rows of a prefill chunk: half of the rows of an image of 1344 x 1344. Each chunk packs the vision experts again, so
 * chunks of 512 rows take a quarter more time (AMX). Larger chunks need more memory and delay other requests.
 */
export const mostChunkRows = 1152;

/**
 * The next chunk: rows from `start` on, all of one expert. A causal decoder with a KV cache gives the same results for one
 * chunk as for several, and a chunk of one expert reads only that expert's weights.
 * @param rows the approximate size of the chunk, by expert; for language, the maximum
 */
export function nextChunk(prompt: PromptRows, start: number, rows: Readonly<Record<Expert, number>>): Chunk {
  const { ids, tokenTypes, positions, visionRows } = prompt;
  const expert = visionRows[start] === 1 ? 'vision' : 'language';
  let end = start + 1;
  while (end < ids.length && visionRows[end] === visionRows[start]) end++;
  const to = start + chunkLength(expert, end - start, rows[expert]);
  // eoi is an image token of the language expert, so image rows are counted by type, not by expert.
  let imageRow = tokenTypes.subarray(0, start).reduce((sum, type) => sum + type, 0);
  const pieces: Chunk['pieces'] = [];
  for (let i = start; i < to; ) {
    let next = i + 1;
    while (next < to && tokenTypes[next] === tokenTypes[i]) next++;
    if (tokenTypes[i] === 1) {
      pieces.push({ imageRow, count: next - i });
      imageRow += next - i;
    } else {
      pieces.push({ ids: ids.slice(i, next) });
    }
    i = next;
  }
  return { expert, pieces, positions: positions.slice(start, to) };
}

function chunkLength(expert: Expert, left: number, rows: number): number {
  if (expert === 'language') return Math.min(left, Math.max(1, rows));
  const tiles = Math.max(1, Math.floor(rows / tileRows)) * tileRows;
  return left - tiles < tileRows ? left : tiles;
}
