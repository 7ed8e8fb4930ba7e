/** `cogvlm2 chat [IMAGE]`: a conversation in the terminal, or from a script on standard input. */

import { resolve } from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { readableFormats } from '../../image/formats.ts';
import { type NamedImage, readNamedImage } from '../ask-arguments.ts';
import type { ChatSession } from '../chat/session.ts';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { openModel } from '../open-model.ts';
import { answerOptions, debugOption, modelOptions, outputOptions } from '../options.ts';
import { createProgress } from '../progress.ts';
import { colorsFor, stopOnInterrupt, type Terminal } from '../terminal.ts';

const chatOptions = z.object({
  ...answerOptions,
  ...modelOptions,
  history: flagGroup('Output')(z.boolean().default(true), 'Do not save the typed lines.'),
  ...outputOptions,
  ...debugOption,
});

export const chat = defineCommand({
  name: 'chat',
  summary: 'Have a conversation about an image',
  arguments: [
    {
      name: 'IMAGE',
      about: `a ${readableFormats.replace(' and ', ' or ')} image: a path or a data URL; for video models also a video or a folder of frames`,
      optional: true,
    },
  ],
  options: chatOptions,
  examples: [
    { about: 'A conversation about an image', line: 'cogvlm2 chat receipt.png' },
    { about: 'From a script, one question in each line', line: 'cogvlm2 chat receipt.png < questions.txt' },
  ],
  notes: `Put several lines between \`"""\` and \`"""\`. Ctrl-C stops the answer. At an empty prompt, a second Ctrl-C or Ctrl-D
leaves. If a turn fails (context full, damaged image), one sentence says why, and the conversation does not change. Typed lines
are kept in \`$XDG_STATE_HOME/cogvlm2/history\` (\`~/.local/state\` by default).

If standard input is not a terminal, there are no prompts and no history. Every line is a message or a slash command, and the
exit status is that of the first failed message.`,

  async run([argument], options, context) {
    const { terminal } = context;
    if (argument === '-') {
      throw new CogVLM2Error(
        'invalid_value',
        'chat reads questions from standard input, so the image must be a file.',
      );
    }
    // Imported here, so that the help does not wait for them.
    const { ChatSession } = await import('../chat/session.ts');
    const { ConversationLoop } = await import('../chat/conversation-loop.ts');
    const { HistoryFile } = await import('../chat/line-reader.ts');
    const progress = createProgress(terminal, options.quiet);
    const open = async (source: string, signal: AbortSignal): Promise<NamedImage> =>
      readNamedImage(source, context, signal);

    const stop = stopOnInterrupt(terminal);
    const attempt = { signal: stop.signal, progress };
    try {
      const named = argument === undefined ? null : await open(argument, stop.signal);
      using model = await openModel({ ...options, sequences: 1 }, context, progress, stop.signal);
      using session = new ChatSession(model, options, open);
      if (argument !== undefined && named !== null) {
        const source = /^data:/i.test(argument) ? argument : resolve(argument);
        await session.begin({ source, image: named.image }, attempt);
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
    session.image === null ? 'no image (/image loads one)' : `${session.image}, ${session.imageSize}`;
  terminal.stderr.write(
    dim(`${session.model.info.name}: ${shown}. /help lists the commands, Ctrl-D leaves.\n`),
  );
}
