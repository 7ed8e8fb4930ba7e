import { expect } from 'vitest';
import { CogVLM2Error } from '../../src/errors.ts';

/** The error of ours that `work` throws; anything else fails the test. */
export function caught(work: () => unknown): CogVLM2Error {
  try {
    work();
  } catch (error) {
    return ours(error);
  }
  return expect.fail('nothing was thrown');
}

/** The error of ours that the promise is rejected with. */
export async function rejected(work: Promise<unknown>): Promise<CogVLM2Error> {
  try {
    await work;
  } catch (error) {
    return ours(error);
  }
  return expect.fail('nothing was thrown');
}

function ours(error: unknown): CogVLM2Error {
  if (error instanceof CogVLM2Error) return error;
  throw error;
}
