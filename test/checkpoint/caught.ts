import { expect } from 'vitest';
import { CogVLM2Error } from '../../src/errors.ts';

/** The CogVLM2Error that `work` throws. The test fails for anything else. */
export function caught(work: () => unknown): CogVLM2Error {
  try {
    work();
  } catch (error) {
    return ours(error);
  }
  return expect.fail('nothing was thrown');
}

/** The CogVLM2Error with which the promise is rejected. */
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
