/** Whether a run may go on with a file: only where all that answers depend on is as it was. */
import { differencesOf } from '../differences.ts';
import { CogVLM2Error } from '../errors.ts';
import type { Header } from './prediction.ts';

/** @throws CogVLM2Error `invalid_value`, naming each setting that differs with both of its values. */
export function checkSameSettings(file: string, earlier: Header, now: Header): void {
  const differences = differencesOf(
    { ...earlier.settings, shard: earlier.shard },
    { ...now.settings, shard: now.shard },
  );
  if (differences.length === 0) return;
  throw new CogVLM2Error(
    'invalid_value',
    `${file} was made with other settings: ${differences.join('; ')}. Use those, or give another --output.`,
  );
}
