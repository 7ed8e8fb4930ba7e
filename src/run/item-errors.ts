/** Errors that belong to one input of a run over many. The run continues with the other inputs. */
import { CogVLM2Error } from '../errors.ts';

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
