import { CogVLM2Error } from '../../src/errors.ts';

/** The CogVLM2Error with which a promise is rejected. The test fails for anything else. */
export async function failure(attempt: Promise<unknown>): Promise<CogVLM2Error> {
  const outcome = await attempt.then(
    (value) => new Error(`did not fail: ${String(value)}`),
    (error: unknown) => error,
  );
  if (outcome instanceof CogVLM2Error) return outcome;
  throw outcome;
}
