/** The part of the model's context that a conversation uses. Pure. */
import type { Turn } from './types.ts';

export interface ContextUse {
  imageTokens: number;
  textTokens: number;
}

/**
 * The use after the last answered turn, and the tokens of an image in the composer. Text in the composer is counted only after it
 * was sent.
 */
export function contextUse(path: readonly Turn[], hasDraftImage: boolean, imageTokens: number): ContextUse {
  const usage = path.findLast(({ answer }) => answer.usage !== null)?.answer.usage;
  const image = usage?.imageTokens ?? 0;
  return {
    imageTokens: hasDraftImage ? imageTokens : image,
    textTokens: usage ? usage.promptTokens - image + usage.completionTokens : 0,
  };
}
