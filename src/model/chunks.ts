/** Which weights a row meets. */
export type Expert = 'language' | 'vision';

/** Rows of the prompt that go through the decoder together: one expert, embeddings from text ids or image rows. */
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
  /** 1 where the row meets the vision expert. */
  visionRows: Uint8Array;
}

/**
 * ggml's attention has one kernel for 64 query rows and more, in tiles of 64, and another for fewer, and they round
 * differently. So that a row's numbers depend on nothing but the rows before it, whatever the size of a chunk, a
 * chunk of language never has as many as a tile, and a chunk of the picture never fewer, but for pictures that have
 * not so many altogether. Whole tiles keep quantised products in their groups of rows, too.
 */
const tileRows = 64;

/** Rows of one prefill chunk: enough to be bound by arithmetic, few enough to stop and report often. */
export const mostChunkRows = 512;

export const mostLanguageRows = 60;

/**
 * The rows from `start` on that are run next: about `size`, all of one expert. A causal decoder with a KV cache
 * gives the same numbers for one chunk as for many, and a chunk of one expert needs only that expert's weights.
 */
export function nextChunk(
  prompt: PromptRows,
  start: number,
  size: number,
  languageRows = mostLanguageRows,
): Chunk {
  const { ids, tokenTypes, positions, visionRows } = prompt;
  const expert = visionRows[start] === 1 ? 'vision' : 'language';
  let end = start + 1;
  while (end < ids.length && visionRows[end] === visionRows[start]) end++;
  const to = start + chunkLength(expert, end - start, size, languageRows);
  // eoi is an image token that meets the language expert, so image rows are counted by type, not by expert.
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

function chunkLength(expert: Expert, left: number, size: number, languageRows: number): number {
  if (expert === 'language') return Math.min(left, Math.max(1, Math.min(size, languageRows)));
  const tiles = Math.max(1, Math.floor(size / tileRows)) * tileRows;
  return left - tiles < tileRows ? left : tiles;
}
