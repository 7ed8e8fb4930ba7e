/** How much of the model's context a conversation takes. Pure. */
import type { Turn } from './types.ts';

export interface ContextUse {
  imageTokens: number;
  textTokens: number;
}

/**
 * After the last answered turn; an image that stands in the composer is counted as the model will count it. What is
 * being written is not counted before the server has seen it.
 */
export function contextUse(path: readonly Turn[], hasDraftImage: boolean, imageTokens: number): ContextUse {
  const usage = path.findLast(({ answer }) => answer.usage !== null)?.answer.usage;
  const image = usage?.imageTokens ?? 0;
  return {
    imageTokens: hasDraftImage ? imageTokens : image,
    textTokens: usage ? usage.promptTokens - image + usage.completionTokens : 0,
  };
}
