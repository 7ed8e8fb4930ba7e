/** Runs over many items: concurrency, and errors that end one item only. */

import { CogVLM2Error } from '../errors.ts';

/**
 * Processes items with bounded concurrency. The next item is taken when one is done. After a failure no item is started; the
 * running ones finish, then the failure is thrown.
 */
export async function inParallel<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  parallel: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  for await (const item of items) {
    const one = work(item)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => running.delete(one));
    running.add(one);
    if (running.size >= parallel) await Promise.race(running);
    if (failure !== undefined) break;
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure.error;
}

/** Codes of errors of one input. The run continues with the other inputs. */
export const itemErrorCodes = [
  'invalid_value',
  'invalid_image',
  'image_too_large',
  'file_not_found',
  'context_length_exceeded',
  'endpoint_refused',
] as const;
export type ItemErrorCode = (typeof itemErrorCodes)[number];

export function isItemError(error: unknown): error is CogVLM2Error & { readonly code: ItemErrorCode } {
  return error instanceof CogVLM2Error && itemErrorCodes.some((code) => code === error.code);
}
