/** `cogvlm2 worker URL`: answers questions of a batch or an evaluation on another machine. */

import { z } from 'zod';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { formatCount } from '../format.ts';
import { openModel } from '../open-model.ts';
import { debugOption, modelOptions, outputOptions, parallelOption, queueAddress } from '../options.ts';
import { createProgress } from '../progress.ts';
import { stopOnInterrupt } from '../terminal.ts';

const inWork = flagGroup('Run');
const { quiet } = outputOptions;

export const worker = defineCommand({
  name: 'worker',
  summary: 'Answer the questions that a batch or an evaluation adds to a queue',
  arguments: [{ name: 'URL', about: 'redis:// or rediss://; `COGVLM2_QUEUE` by default', optional: true }],
  options: z.object({
    ...parallelOption(1, 64),
    shared: inWork(
      z.string().min(1).optional(),
      'Folder of images that jobs may send as paths; without it, such jobs are refused.',
      { value: 'FOLDER' },
    ),
    lostSeconds: inWork(
      z.int().min(2).max(3600).default(30),
      'A worker is lost after this many seconds without a heartbeat; its questions go to others.',
      { value: 'N' },
    ),
    ...modelOptions,
    quiet,
    ...debugOption,
  }),
  examples: [
    { about: 'On each machine', line: 'cogvlm2 worker redis://queue.local --model cogvlm2-llama3-chat-19B' },
    {
      about: 'With TLS, a password that is not visible in the process list, and a shared folder',
      line: 'COGVLM2_QUEUE="$QUEUE_URL" cogvlm2 worker --shared /mnt/scans',
    },
  ],
  notes: `A worker takes only questions for its own model. Ctrl-C lets it finish its current questions; a second Ctrl-C ends it at
once, and other workers get them. [many-machines.md](many-machines.md) describes the setup.`,

  async run([written], options, context) {
    const { terminal, library } = context;
    const address = queueAddress(written ?? terminal.env.COGVLM2_QUEUE, options.quiet, terminal);
    using stop = stopOnInterrupt(terminal);
    const progress = createProgress(terminal, options.quiet);
    using model = await openModel(options, context, progress, stop.signal);
    const say = (text: string) => {
      if (!options.quiet) terminal.stderr.write(`cogvlm2: ${text}\n`);
    };
    say(`answering with ${model.info.name} for ${address.shown}; Ctrl-C stops.`);
    let answered = 0;
    await library.work(model, {
      address,
      parallel: options.parallel,
      lostMs: options.lostSeconds * 1000,
      shared: options.shared,
      signal: stop.signal,
      onDone: (count) => {
        answered = count;
      },
      onTrouble: (reason) => say(`queue: ${reason}; retrying.`),
    });
    say(`answered ${formatCount(answered)} questions.`);
    return 0;
  },
});
