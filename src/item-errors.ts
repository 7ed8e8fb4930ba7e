/** In a run over many inputs: which errors belong to one of them, so that the run goes on with the others. */
import { CogVLM2Error, type ErrorCode } from './errors.ts';

const itemErrors: ReadonlySet<ErrorCode> = new Set([
  'invalid_value',
  'invalid_image',
  'image_too_large',
  'file_not_found',
  'context_length_exceeded',
]);

export function isItemError(error: unknown): error is CogVLM2Error {
  return error instanceof CogVLM2Error && itemErrors.has(error.code);
}
