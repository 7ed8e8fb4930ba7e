import { CogVLM2Error } from '../../src/errors.ts';

/** The error that a promise fails with; anything but ours fails the test. */
export async function failure(attempt: Promise<unknown>): Promise<CogVLM2Error> {
  const outcome = await attempt.then(
    (value) => new Error(`did not fail: ${String(value)}`),
    (error: unknown) => error,
  );
  if (outcome instanceof CogVLM2Error) return outcome;
  throw outcome;
}
