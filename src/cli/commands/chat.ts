/** `cogvlm2 chat [IMAGE]`: a conversation in the terminal, or from a script on standard input. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { readableFormats } from '../../image/sniff.ts';
import type { ChatSession } from '../chat/session.ts';
import { colorsFor } from '../colors.ts';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { openModel } from '../open-model.ts';
import { answerOptions, debugOption, modelOptions, outputOptions } from '../options.ts';
import { type Picture, readPicture } from '../picture.ts';
import { createProgress } from '../progress.ts';
import { stopOnInterrupt, type Terminal } from '../terminal.ts';

const chatOptions = z.object({
  ...answerOptions,
  ...modelOptions,
  history: flagGroup('Output')(z.boolean().default(true), 'Do not keep the typed lines for the next time.'),
  ...outputOptions,
  ...debugOption,
});

export const chat = defineCommand({
  name: 'chat',
  summary: 'Talk with the model about a picture',
  arguments: [
    {
      name: 'PICTURE',
      about: `a ${readableFormats.replace(' and ', ' or ')} image: a path or a data URL`,
      optional: true,
    },
  ],
  options: chatOptions,
  examples: [
    { about: 'A conversation about a picture', line: 'cogvlm2 chat receipt.png' },
    { about: 'From a script: a line is a question', line: 'cogvlm2 chat receipt.png < questions.txt' },
  ],
  notes: `Several lines go between \`"""\` and \`"""\`. Ctrl-C stops the answer and not the program; at an empty prompt the
second one leaves, and so does Ctrl-D. A turn that fails (context full, bad picture) is told in one sentence and leaves
the conversation as it was. Typed lines are kept in \`$XDG_STATE_HOME/cogvlm2/history\` (\`~/.local/state\` by default).

When standard input is no terminal, there are no prompts and no history; every line is a message, slash commands
included, and the exit status is that of the first message that failed.`,

  async run([argument], options, context) {
    const { terminal } = context;
    if (argument === '-') {
      throw new CogVLM2Error(
        'invalid_value',
        'chat reads its questions from standard input, so the picture must be a file.',
      );
    }
    // Only now, so that the help does not wait for them.
    const { ChatSession } = await import('../chat/session.ts');
    const { ConversationLoop } = await import('../chat/conversation-loop.ts');
    const { HistoryFile } = await import('../chat/history-file.ts');
    const progress = createProgress(terminal, options.quiet);
    const open = async (source: string, signal: AbortSignal): Promise<Picture> =>
      readPicture(source, context, signal);

    const stop = stopOnInterrupt(terminal);
    const attempt = { signal: stop.signal, progress };
    try {
      const picture = argument === undefined ? null : await open(argument, stop.signal);
      using model = await openModel({ ...options, alone: true }, context, progress, stop.signal);
      using session = new ChatSession(model, options, open);
      if (argument !== undefined && picture !== null) {
        const source = /^data:/i.test(argument) ? argument : resolve(argument);
        await session.begin({ source, image: picture.image }, attempt);
      }
      stop[Symbol.dispose]();
      greet(terminal, session, options.quiet);
      const historyFile = options.history ? new HistoryFile(terminal.env) : null;
      return await new ConversationLoop({
        session,
        terminal,
        progress,
        historyFile,
        debug: options.debug,
      }).run();
    } finally {
      stop[Symbol.dispose]();
    }
  },
});

function greet(terminal: Terminal, session: ChatSession, quiet: boolean): void {
  if (quiet || terminal.stdin.isTTY !== true) return;
  const { dim } = colorsFor(terminal.stderr, terminal.env);
  const shown =
    session.picture === null ? 'no picture (/image shows one)' : `${session.picture}, ${session.pictureSize}`;
  terminal.stderr.write(
    dim(`${session.model.info.name}: ${shown}. /help lists the commands, Ctrl-D leaves.\n`),
  );
}
