/** `cogvlm2 worker URL`: answers for a batch or an evaluation on another machine. */
import { z } from 'zod';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { formatCount } from '../format.ts';
import { openModel } from '../open-model.ts';
import { debugOption, modelOptions, outputOptions, parallelOption } from '../options.ts';
import { createProgress } from '../progress.ts';
import { queueAddress } from '../queue-options.ts';
import { stopOnInterrupt } from '../terminal.ts';

const inWork = flagGroup('Run');
const { quiet } = outputOptions;

export const worker = defineCommand({
  name: 'worker',
  summary: 'Answer the questions that a batch or an evaluation puts into a queue',
  arguments: [{ name: 'URL', about: 'redis:// or rediss://; without it, `COGVLM2_QUEUE`', optional: true }],
  options: z.object({
    ...parallelOption(1, 64),
    shared: inWork(
      z.string().min(1).optional(),
      'Folder that pictures may be read from when they come as paths; without it, none are.',
      { value: 'FOLDER' },
    ),
    lostSeconds: inWork(
      z.int().min(2).max(3600).default(30),
      'A worker that gave no sign of life for so long is lost: its questions go to others.',
      { value: 'N' },
    ),
    ...modelOptions,
    quiet,
    ...debugOption,
  }),
  examples: [
    { about: 'On each machine', line: 'cogvlm2 worker redis://queue.local --model cogvlm2-llama3-chat-19B' },
    {
      about: 'With TLS, the password not in the list of processes, and a folder that all machines have',
      line: 'COGVLM2_QUEUE="$QUEUE_URL" cogvlm2 worker --shared /mnt/scans',
    },
  ],
  notes: `It takes the questions for its own model only, and runs until Ctrl-C, which lets it end those that it has; a second one
ends it at once, and others get them. What to run where stands in [many-machines.md](many-machines.md).`,

  async run([written], options, context) {
    const { terminal, library } = context;
    const address = queueAddress(written ?? terminal.env.COGVLM2_QUEUE, options.quiet, terminal);
    using stop = stopOnInterrupt(terminal);
    const progress = createProgress(terminal, options.quiet);
    using model = await openModel(options, context, progress, stop.signal);
    const say = (text: string) => {
      if (!options.quiet) terminal.stderr.write(`cogvlm2: ${text}\n`);
    };
    say(`answering with ${model.info.name} for ${address.shown}; Ctrl-C ends it.`);
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
      onTrouble: (reason) => say(`the queue: ${reason}; it is tried again.`),
    });
    say(`${formatCount(answered)} questions were answered.`);
    return 0;
  },
});
