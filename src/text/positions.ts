/**
 * Which position and which expert each token of a prompt meets, as the published code derives them from the token types
 * (build_position_ids and get_expert_mask in modeling_cogvlm.py). The types mark ALL image tokens alike: boi, patches, eoi.
 */

/** Token types, as in `token_type_ids`. */
export const LANGUAGE_TOKEN = 0;
export const VISION_TOKEN = 1;

/** Rows [start, end) of a prompt. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Image tokens that a picture becomes: one for each 2x2 patches (an odd grid loses its last row and column), boi and eoi.
 * 2306 for the published checkpoints.
 */
export function imageTokenCount(imageSize: number, patchSize: number): number {
  return Math.floor(Math.floor(imageSize / patchSize) / 2) ** 2 + 2;
}

/**
 * [length] positions: boi and eoi count as text, and all patches between them share one position. bos 0, boi 1, patches 2,
 * eoi 3, text from 4; without an image 0, 1, 2, ...
 */
export function positionsOf(tokenTypes: Uint8Array): Int32Array {
  const isPatch = (i: number) =>
    tokenTypes[i] === VISION_TOKEN &&
    tokenTypes[i - 1] === VISION_TOKEN &&
    tokenTypes[i + 1] === VISION_TOKEN;
  const positions = new Int32Array(tokenTypes.length);
  for (let i = 1; i < tokenTypes.length; i++) {
    const shares = isPatch(i) && isPatch(i - 1);
    positions[i] = positions[i - 1]! + (shares ? 0 : 1);
  }
  return positions;
}

/**
 * [length] 1 where the vision expert works: an image token followed by another one. So boi and the patches, while eoi
 * meets the language expert.
 */
export function visionExpertRows(tokenTypes: Uint8Array): Uint8Array {
  return tokenTypes.map((type, i) => (type === VISION_TOKEN && tokenTypes[i + 1] === VISION_TOKEN ? 1 : 0));
}

/** The runs of rows for the vision expert, in order: a run can be one product on a view of the batch. */
export function visionSpans(tokenTypes: Uint8Array): Span[] {
  const rows = visionExpertRows(tokenTypes);
  const spans: Span[] = [];
  for (let start = rows.indexOf(1); start >= 0; ) {
    const next = rows.indexOf(0, start);
    const end = next < 0 ? rows.length : next;
    spans.push({ start, end });
    start = rows.indexOf(1, end);
  }
  return spans;
}
