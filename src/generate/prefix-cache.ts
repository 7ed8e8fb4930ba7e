import type { Prompt } from '../text/prompt.ts';

/** What a KV cache holds: the ids of its rows, which image its image rows are of, and which adapter they were run with. */
export interface CachedRows {
  ids: number[];
  imageKey: string | null;
  adapter: string;
}

/** A prompt as the prefix cache compares it. */
export interface CachePrompt {
  prompt: Prompt;
  imageKey: string | null;
  /** Name of the adapter; '' where none is named. */
  adapter: string;
}

export const noRows = (): CachedRows => ({ ids: [], imageKey: null, adapter: '' });

/**
 * How many rows of the prompt the cache already holds. The last row of a prompt is always run again, because the answer
 * begins with its logits; an image is kept whole or not at all.
 */
export function commonPrefix(cached: CachedRows, { prompt, imageKey, adapter }: CachePrompt): number {
  if (cached.adapter !== adapter) return 0;
  const { ids, image } = prompt;
  const most = Math.min(cached.ids.length, ids.length - 1);
  let length = 0;
  while (length < most && cached.ids[length] === ids[length]) length++;
  if (cached.imageKey === imageKey && (!image || length >= image.end)) return length;
  // Both begin with bos; after it comes another image, or an image on one side only.
  return Math.min(length, 1);
}

/** What a cache holds after the first `length` rows of a prompt were run. */
export function rowsOf({ prompt, imageKey, adapter }: CachePrompt, length: number): CachedRows {
  return { ids: Array.from(prompt.ids.subarray(0, length)), imageKey: length > 1 ? imageKey : null, adapter };
}
