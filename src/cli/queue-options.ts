/** The queue that a command uses: the flag, the address, and a warning if others can read it. */

import path from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { parseQueueAddress, type QueueAddress } from '../queue/address.ts';
import { adaptedName } from '../queue/job.ts';
import { parseAdapter } from './adapter-argument.ts';
import { flagGroup } from './flags.ts';
import type { Library } from './library-calls.ts';
import type { Terminal } from './terminal.ts';

export const queueOption = {
  queue: flagGroup('Run')(
    z.string().min(1).optional(),
    'Redis whose `cogvlm2 worker`s answer instead of a model on this machine: redis:// or rediss://.',
    { value: 'URL' },
  ),
};

/** The queue holds at least this many questions, so that no worker is idle. */
export const queueDepth = 32;

/** @throws CogVLM2Error invalid_value */
export function queueAddress(written: string | undefined, quiet: boolean, terminal: Terminal): QueueAddress {
  if (written === undefined) {
    throw new CogVLM2Error(
      'invalid_value',
      'The address of the queue is needed, as in `cogvlm2 worker redis://127.0.0.1:6379`.',
    );
  }
  const address = parseQueueAddress(written);
  if (address.isOpen && !quiet) {
    terminal.stderr.write(
      `cogvlm2: ${address.shown} has no TLS or no password: others on that network can read the images and answers.\n`,
    );
  }
  return address;
}

/** The name of the model and its adapters at the workers. This machine need not have them. */
export async function queueModelName(
  { model, adapter }: { model?: string | undefined; adapter: readonly string[] },
  library: Library,
): Promise<string> {
  return adaptedName(await baseName(model, library), adapter.map(parseAdapter));
}

async function baseName(written: string | undefined, library: Library): Promise<string> {
  try {
    return (await library.findModel(written ?? 'demo')).name;
  } catch (error) {
    if (written === undefined || !(error instanceof CogVLM2Error) || error.code !== 'model_not_found')
      throw error;
    return path.basename(written, '.gguf');
  }
}
