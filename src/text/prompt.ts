/**
 * A question, earlier turns and an image as the ids, types and positions that the model reads. The templates are those of
 * the published code (`_history_to_prompt`); the Llama-3 chat template is never used.
 */
import { CogVLM2Error } from '../errors.ts';

/** The values of `template_version` in config.json. */
export type PromptTemplate = 'chat' | 'vqa' | 'base';

/** A past exchange. */
export interface Turn {
  readonly question: string;
  readonly answer: string;
}

export interface PromptInput {
  readonly template: PromptTemplate;
  readonly query: string;
  /** Oldest first. */
  readonly history?: readonly Turn[];
  /** The start of the answer, which the model continues. */
  readonly answerStart?: string;
  /** Image tokens with boi and eoi (`ModelConfig.vision.imageTokens`), or 0 without an image. */
  readonly imageTokenCount: number;
  /**
   * For a video, the text after each frame; '' for none. Each frame has `imageTokenCount` rows. Default: one image without text.
   */
  readonly frameTexts?: readonly string[];
  readonly bosId: number;
  readonly padId: number;
}

export interface Prompt {
  /** [length]; image tokens are `padId`, their embeddings are overwritten. */
  readonly ids: Int32Array;
  /** [length] 1 for image tokens, boi and eoi included. */
  readonly tokenTypes: Uint8Array;
  /** [length] */
  readonly positions: Int32Array;
  /** Rows from the first image token to the last one, of all frames; null without an image. */
  readonly image: Span | null;
  /** How many of them are image tokens; the others are the texts of frames. */
  readonly imageTokens: number;
  /** The text after the image. */
  readonly text: string;
}

/**
 * The text of a prompt: no system prompt, nothing between turns but a line feed, no space at the end. Trailing white space of
 * `answerStart` is left out, because the space belongs to the next token.
 * @throws CogVLM2Error invalid_value: turns or the start of an answer for the template "base", which has only the question
 */
export function promptText(
  template: PromptTemplate,
  query: string,
  history: readonly Turn[] = [],
  answerStart = '',
): string {
  if (template === 'base') {
    if (history.length > 0) {
      throw new CogVLM2Error(
        'invalid_value',
        `The template "base" has only the question and no earlier turns, but ${history.length} were given. Use "chat" or "vqa".`,
      );
    }
    if (answerStart !== '') {
      throw new CogVLM2Error(
        'invalid_value',
        'The template "base" has only the question and no start of an answer. Use "chat" or "vqa".',
      );
    }
    return query;
  }
  const cue = template === 'vqa' ? 'Short answer:' : 'Answer:';
  const past = history.map(({ question, answer }) => `Question: ${question} ${cue} ${answer}\n`);
  const begun = answerStart.trimEnd();
  return `${past.join('')}Question: ${query} ${cue}${begun === '' ? '' : ` ${begun.trimStart()}`}`;
}

/**
 * ids = [bos, image tokens, text]: the image comes right after bos, in whichever turn it was given. For a video: each frame's
 * image tokens and its text, one frame after the other.
 * @throws CogVLM2Error invalid_value
 */
export function buildPrompt(tokenizer: { encode(text: string): number[] }, input: PromptInput): Prompt {
  const { template, query, history, answerStart, imageTokenCount, bosId, padId } = input;
  // At least boi, one patch and eoi.
  if (imageTokenCount !== 0 && !(Number.isInteger(imageTokenCount) && imageTokenCount >= 3)) {
    throw new CogVLM2Error(
      'invalid_value',
      `imageTokenCount is ${imageTokenCount}; it must be 0, or 3 and more.`,
    );
  }
  const frames = imageTokenCount === 0 ? [] : (input.frameTexts ?? ['']);
  const text = promptText(template, query, history, answerStart);
  const ids = [bosId];
  const types = [0];
  let imageEnd = 1;
  const addText = (added: string) => {
    for (const id of tokenizer.encode(added)) {
      ids.push(id);
      types.push(0);
    }
  };
  for (const frameText of frames) {
    for (let i = 0; i < imageTokenCount; i++) {
      ids.push(padId);
      types.push(VISION_TOKEN);
    }
    imageEnd = ids.length;
    if (frameText !== '') addText(frameText);
  }
  addText(text);
  const tokenTypes = Uint8Array.from(types);
  return {
    ids: Int32Array.from(ids),
    tokenTypes,
    positions: positionsOf(tokenTypes),
    image: frames.length === 0 ? null : { start: 1, end: imageEnd },
    imageTokens: frames.length * imageTokenCount,
    text,
  };
}

// The position and the expert of each token of a prompt, as the published code derives them from the token types
// (build_position_ids and get_expert_mask in modeling_cogvlm.py). All image tokens have the same type: boi, patches, eoi.

/** The type of image tokens in `token_type_ids`; text has 0. */
const VISION_TOKEN = 1;

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
