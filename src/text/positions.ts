/**
 * The position and the expert of each token of a prompt, as the published code derives them from the token types
 * (build_position_ids and get_expert_mask in modeling_cogvlm.py). All image tokens have the same type: boi, patches, eoi.
 */

/** The type of image tokens in `token_type_ids`; text has 0. */
export const VISION_TOKEN = 1;

/** Rows [start, end) of a prompt. */
export interface Span {
  readonly start: number;
  readonly end: number;
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
 * [length] 1 for rows of the vision expert: image tokens that another image token follows. These are boi and the patches; eoi
 * uses the language expert.
 */
export function visionExpertRows(tokenTypes: Uint8Array): Uint8Array {
  return tokenTypes.map((type, i) => (type === VISION_TOKEN && tokenTypes[i + 1] === VISION_TOKEN ? 1 : 0));
}
