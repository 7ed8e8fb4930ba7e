/** The slash commands of `chat`. The help, the completion and docs/cli.md are made from this list. */
import { CogVLM2Error } from '../../errors.ts';
import { homeFolder } from '../../files/folders.ts';
import { nearest } from '../../messages.ts';
import { renderTimings } from '../answer-output.ts';
import { formatCount, renderTable } from '../format.ts';
import { type Attempt, type ChatSession, changeSetting, listSettings } from './session.ts';

interface SlashCommand {
  usage: string;
  about: string;
  /** Returns text to print, or `leave` to end the conversation. */
  run(session: ChatSession, argument: string, attempt: Attempt): Promise<SlashResult> | SlashResult;
}

export interface SlashResult {
  text?: string;
  leave?: boolean;
}

export const SLASH_COMMANDS: readonly SlashCommand[] = [
  {
    usage: '/image PATH',
    about: 'Load another image and start a new conversation; without a path, print the current image.',
    async run(session, argument, attempt) {
      if (argument !== '') await session.loadImage(plainPath(argument), attempt);
      const { image, imageSize } = session;
      return { text: image === null ? 'There is no image.\n' : `${image} (${imageSize})\n` };
    },
  },
  {
    usage: '/clear',
    about: 'Start a new conversation about the same image.',
    run(session) {
      session.clear();
      return { text: 'New conversation.\n' };
    },
  },
  {
    usage: '/set NAME VALUE',
    about:
      'Change a setting, such as `/set temperature 0.7`; `default` resets it; without a name, list all settings.',
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
    about: 'Print the time of each stage of the last answer, and the used part of the context.',
    run({ lastAnswer, model }) {
      if (lastAnswer === null) return { text: 'There is no answer yet.\n' };
      const { promptTokens, completionTokens } = lastAnswer.usage;
      const used = `${formatCount(promptTokens + completionTokens)} of ${formatCount(model.info.contextSize)} tokens`;
      return { text: `${renderTimings(lastAnswer)}context: ${used}\n` };
    },
  },
  {
    usage: '/save FILE',
    about: 'Save the conversation to a file.',
    async run(session, argument) {
      const path = plainPath(needed(argument, '/save conversation.json'));
      await session.save(path);
      return { text: `Saved to ${path}.\n` };
    },
  },
  {
    usage: '/load FILE',
    about: 'Load a saved conversation and its image.',
    async run(session, argument, attempt) {
      await session.load(plainPath(needed(argument, '/load conversation.json')), attempt);
      const turns = session.history.length;
      return { text: `${turns} ${turns === 1 ? 'turn' : 'turns'}, image: ${session.image ?? 'none'}.\n` };
    },
  },
  {
    usage: '/history',
    about: 'Print the questions and answers so far.',
    run({ history }) {
      const turns = history.map(({ question, answer }) => `>>> ${question}\n${answer}\n`);
      return { text: turns.length === 0 ? 'There are no questions yet.\n' : turns.join('\n') };
    },
  },
  {
    usage: '/help',
    about: 'List these commands.',
    run: () => ({
      text: `${renderTable(SLASH_COMMANDS.map(({ usage, about }) => [usage, about]))}Put several lines between """ and """. Ctrl-C stops an answer; Ctrl-D leaves.\n`,
    }),
  },
  { usage: '/bye', about: 'Leave.', run: () => ({ leave: true }) },
];

const ALIASES: Readonly<Record<string, string>> = { '/exit': '/bye', '/quit': '/bye', '/?': '/help' };

const slashNames: readonly string[] = SLASH_COMMANDS.map(({ usage }) => usage.split(' ')[0]!);

/** `/word …` is a command. A path such as /home/me/a.png, or a slash alone, is a question. */
export function isSlashCommand(message: string): boolean {
  return /^\/[a-z?]+(\s|$)/i.test(message);
}

/** Completions for the Tab key, as readline expects them. */
export function completeSlashCommand(line: string): [string[], string] {
  const lines = SLASH_COMMANDS.map(({ usage }) => usage.replace(/ .*/, ' '));
  return [lines.filter((whole) => line.startsWith('/') && whole.startsWith(line)), line];
}

/** @throws CogVLM2Error for an unknown command, and errors of the command */
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

/** A path as a terminal pastes it: in quotes or with escaped spaces. `~` is the home folder. */
function plainPath(argument: string): string {
  const quoted = /^(['"])(.*)\1$/.exec(argument)?.[2];
  const path = quoted ?? argument.replaceAll(/\\([ '"()&])/g, '$1');
  return path.replace(/^~(?=\/|$)/, homeFolder() ?? '~');
}
