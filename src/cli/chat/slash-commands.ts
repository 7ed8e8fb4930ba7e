/** The commands of a conversation. Each is one entry; the help, the completion and docs/cli.md come from the list. */
import { CogVLM2Error } from '../../errors.ts';
import { homeFolder } from '../../files/user-folders.ts';
import { nearest } from '../../messages.ts';
import { formatCount, renderTable } from '../format.ts';
import { renderTimings } from '../timings.ts';
import type { Attempt, ChatSession } from './session.ts';
import { changeSetting, listSettings } from './settings.ts';

interface SlashCommand {
  usage: string;
  about: string;
  /** Text to show; the word `leave` ends the conversation. */
  run(session: ChatSession, argument: string, attempt: Attempt): Promise<SlashResult> | SlashResult;
}

export interface SlashResult {
  text?: string;
  leave?: boolean;
}

export const SLASH_COMMANDS: readonly SlashCommand[] = [
  {
    usage: '/image PATH',
    about: 'Show another picture and begin anew; without a path, say which picture is shown.',
    async run(session, argument, attempt) {
      if (argument !== '') await session.showPicture(plainPath(argument), attempt);
      const { picture, pictureSize } = session;
      return { text: picture === null ? 'No picture is shown.\n' : `${picture} (${pictureSize})\n` };
    },
  },
  {
    usage: '/clear',
    about: 'Forget the questions and answers; the picture stays.',
    run(session) {
      session.clear();
      return { text: 'The conversation begins anew.\n' };
    },
  },
  {
    usage: '/set NAME VALUE',
    about:
      'Change a setting, such as `/set temperature 0.7`; the value `default` takes it back; without a name, list them.',
    run(session, argument) {
      const [name = '', ...rest] = argument.split(/\s+/);
      if (name === '') return { text: renderTable(listSettings(session.settings)) };
      if (rest.length === 0) {
        throw new CogVLM2Error(
          'invalid_value',
          `/set ${name} needs a value, as in \`/set temperature 0.7\`.`,
        );
      }
      session.settings = changeSetting(session.settings, name, argument.slice(name.length).trim());
      return {};
    },
  },
  {
    usage: '/stats',
    about: 'How long each stage of the last answer took, and how much of the context is used.',
    run({ lastAnswer, model }) {
      if (lastAnswer === null) return { text: 'There is no answer yet.\n' };
      const { promptTokens, completionTokens } = lastAnswer.usage;
      const used = `${formatCount(promptTokens + completionTokens)} of ${formatCount(model.info.contextSize)} tokens`;
      return { text: `${renderTimings(lastAnswer)}context: ${used}\n` };
    },
  },
  {
    usage: '/save FILE',
    about: 'Write the conversation to a file.',
    async run(session, argument) {
      const path = plainPath(needed(argument, '/save conversation.json'));
      await session.save(path);
      return { text: `Saved to ${path}.\n` };
    },
  },
  {
    usage: '/load FILE',
    about: 'Go on with a saved conversation and its picture.',
    async run(session, argument, attempt) {
      await session.load(plainPath(needed(argument, '/load conversation.json')), attempt);
      const turns = session.history.length;
      return { text: `${turns} ${turns === 1 ? 'turn' : 'turns'}, picture: ${session.picture ?? 'none'}.\n` };
    },
  },
  {
    usage: '/history',
    about: 'Show the questions and answers so far.',
    run({ history }) {
      const turns = history.map(({ question, answer }) => `>>> ${question}\n${answer}\n`);
      return { text: turns.length === 0 ? 'Nothing was asked yet.\n' : turns.join('\n') };
    },
  },
  {
    usage: '/help',
    about: 'Show these commands.',
    run: () => ({
      text: `${renderTable(SLASH_COMMANDS.map(({ usage, about }) => [usage, about]))}Several lines go between """ and """. Ctrl-C stops an answer; Ctrl-D leaves.\n`,
    }),
  },
  { usage: '/bye', about: 'Leave.', run: () => ({ leave: true }) },
];

const ALIASES: Readonly<Record<string, string>> = { '/exit': '/bye', '/quit': '/bye', '/?': '/help' };

export const slashNames: readonly string[] = SLASH_COMMANDS.map(({ usage }) => usage.split(' ')[0]!);

/** `/word …` is a command; a path such as /home/me/a.png, or a lone slash, is a question. */
export function isSlashCommand(message: string): boolean {
  return /^\/[a-z?]+(\s|$)/i.test(message);
}

/** For the Tab key, in readline's form: the lines that this one may become. */
export function completeSlashCommand(line: string): [string[], string] {
  const lines = SLASH_COMMANDS.map(({ usage }) => usage.replace(/ .*/, ' '));
  return [lines.filter((whole) => line.startsWith('/') && whole.startsWith(line)), line];
}

/** @throws CogVLM2Error: for an unknown command, and whatever the command meets */
export async function runSlashCommand(
  message: string,
  session: ChatSession,
  attempt: Attempt,
): Promise<SlashResult> {
  const typed = message.split(/\s/)[0]!.toLowerCase();
  const name = ALIASES[typed] ?? typed;
  const command = SLASH_COMMANDS[slashNames.indexOf(name)];
  if (command === undefined) {
    const near = nearest(name, slashNames);
    const hint = near === undefined ? '/help lists them' : `did you mean ${near}?`;
    throw new CogVLM2Error('invalid_value', `There is no command ${typed} (${hint}).`);
  }
  return await command.run(session, message.slice(typed.length).trim(), attempt);
}

function needed(argument: string, example: string): string {
  if (argument !== '') return argument;
  throw new CogVLM2Error('invalid_value', `A file is needed, as in \`${example}\`.`);
}

/** A path as terminals drop it: in quotes, or with its spaces escaped; ~ is home. */
function plainPath(argument: string): string {
  const quoted = /^(['"])(.*)\1$/.exec(argument)?.[2];
  const path = quoted ?? argument.replaceAll(/\\([ '"()&])/g, '$1');
  return path.replace(/^~(?=\/|$)/, homeFolder() ?? '~');
}
