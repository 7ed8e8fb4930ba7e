/**
 * Builds the command line (commander) from the definitions of the commands and runs it: arguments in, exit status out. Every
 * failure ends here as one sentence.
 */
import { Command as Commander, CommanderError, Option } from 'commander';
import { packageVersion } from '../files/folders.ts';
import type { Command, Context } from './command.ts';
import { ask } from './commands/ask.ts';
import { batch } from './commands/batch.ts';
import { bench } from './commands/bench.ts';
import { cache } from './commands/cache.ts';
import { chat } from './commands/chat.ts';
import { convert } from './commands/convert.ts';
import { doctorFor } from './commands/doctor.ts';
import { evalCompare, evalExport, evalMerge, evalScore } from './commands/eval-files.ts';
import { evalRun } from './commands/eval-run.ts';
import { models } from './commands/models.ts';
import { plan } from './commands/plan.ts';
import { pull } from './commands/pull.ts';
import { report } from './commands/report.ts';
import { serve } from './commands/serve.ts';
import { trace } from './commands/trace.ts';
import { worker } from './commands/worker.ts';
import { EXIT_CODE_MEANINGS, EXIT_CODES, failureOf, failureText } from './exit-codes.ts';
import { type Flag, flagsOf, resolveOptions } from './flags.ts';
import { colorsFor } from './terminal.ts';

/** Runs `cogvlm2 ...argv`; resolves to the exit status and never rejects. */
export async function runProgram(argv: readonly string[], context: Context): Promise<number> {
  let exitCode: number = EXIT_CODES.ok;
  const program = buildProgram(context, (code) => {
    exitCode = code;
  });
  try {
    // commander's own `help` knows one word, but `eval run` has two.
    const words = argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv];
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (error) {
    const { terminal } = context;
    if (terminal.outputClosed.aborted) return EXIT_CODES.ok;
    if (error instanceof CommanderError && isHelp(error)) {
      return error.code === 'commander.help' ? EXIT_CODES.usage : EXIT_CODES.ok;
    }
    const debug = argv.includes('--debug') || /^(1|true|yes|on)$/i.test(terminal.env.COGVLM2_DEBUG ?? '');
    terminal.stderr.write(colorsFor(terminal.stderr, terminal.env).red(failureText(error, debug)));
    return failureOf(error).exitCode;
  }
}

function buildProgram(context: Context, finish: (exitCode: number) => void): Commander {
  const { stdout, stderr } = context.terminal;
  const program = new Commander('cogvlm2')
    .description('Ask questions about images on your own machine, with CogVLM2.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => {}, // runProgram prints it, as every other failure
      getOutHelpWidth: () => Math.min(stdout.columns ?? 100, 110),
      getErrHelpWidth: () => Math.min(stderr.columns ?? 100, 110),
      getOutHasColors: () => stdout.isTTY === true,
      getErrHasColors: () => stderr.isTTY === true,
    })
    .version(packageVersion(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .usage('COMMAND [arguments] [options]')
    .addHelpText('after', examplesText(commands.slice(0, 3).map((command) => command.examples[0]!)))
    .addHelpText('after', exitCodesText());
  for (const command of commands) addCommand(program, command, context, finish);
  return program;
}

function addCommand(
  program: Commander,
  command: Command,
  context: Context,
  finish: (exitCode: number) => void,
): void {
  const words = command.name.split(' ');
  const sub = parentOf(program, words.slice(0, -1))
    .command(words.at(-1)!)
    .summary(command.summary)
    .description(`${command.summary}.`);
  sub.usage(`${command.arguments.map(argumentText).join(' ')} [options]`.trim());
  for (const { name, about, required, variadic } of command.arguments) {
    const word = `${name.toLowerCase()}${variadic ? '...' : ''}`;
    sub.argument(required ? `<${word}>` : `[${word}]`, about);
  }
  const flags = flagsOf(command.options);
  for (const flag of flags) sub.addOption(optionOf(flag));
  sub.addHelpText('after', examplesText(command.examples));
  sub.addHelpText(
    'after',
    '\nEvery flag has an environment variable: COGVLM2_MAX_TOKENS for --max-tokens. Flags override variables.',
  );
  sub.action(async () => {
    const written: Record<string, unknown> = {};
    for (const { key } of flags) {
      if (sub.getOptionValueSource(key) === 'cli') written[key] = sub.getOptionValue(key);
    }
    const options = resolveOptions(command.options, written, context.terminal.env);
    finish(await command.run(sub.args, options, context));
  });
}

/** `eval run` is the subcommand `run` of `eval`, which has no action. */
function parentOf(program: Commander, words: readonly string[]): Commander {
  return words.reduce((parent, word) => {
    const found = parent.commands.find((command) => command.name() === word);
    return found ?? parent.command(word).summary(groupSummaries[word] ?? word);
  }, program);
}

const groupSummaries: Readonly<Record<string, string>> = { eval: 'Run benchmarks and score predictions' };

function optionOf(flag: Flag): Option {
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  const value = flag.kind === 'switch' ? '' : ` <${flag.value ?? 'VALUE'}>`;
  const option = new Option(`${short}${flag.name}${value}`, `${flag.about}${hint(flag)}`);
  if (flag.kind === 'list')
    option.argParser((text, before: string[] | undefined) => [...(before ?? []), text]);
  return option.helpGroup(`${flag.group}:`);
}

/** The allowed values and the default of a flag, from its schema. */
function hint({ choices, defaultValue, kind }: Flag): string {
  const parts = [
    ...(choices.length > 0 ? [choices.join(', ')] : []),
    ...(kind !== 'switch' && kind !== 'list' && defaultValue !== undefined
      ? [`default ${defaultValue}`]
      : []),
  ];
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
}

export function argumentText({ name, optional, variadic }: Command['arguments'][number]): string {
  const word = `${name}${variadic ? '...' : ''}`;
  return optional ? `[${word}]` : word;
}

function examplesText(examples: Command['examples']): string {
  return `\nExamples:\n${examples.map(({ about, line }) => `  # ${about}\n  ${line}\n`).join('')}`.trimEnd();
}

function exitCodesText(): string {
  const lines = Object.entries(EXIT_CODES).map(
    ([name, code]) => `  ${String(code).padEnd(4)} ${EXIT_CODE_MEANINGS[name as keyof typeof EXIT_CODES]}`,
  );
  return `\nExit status:\n${lines.join('\n')}`;
}

function isHelp(error: CommanderError): boolean {
  return ['commander.helpDisplayed', 'commander.help', 'commander.version'].includes(error.code);
}

// All commands, in the order of the help. To add one, write its file in commands/ and add it here.

const working: readonly Command[] = [
  ask,
  chat,
  batch,
  worker,
  serve,
  models,
  cache,
  pull,
  convert,
  plan,
  trace,
  evalRun,
  evalScore,
  evalMerge,
  evalCompare,
  evalExport,
  report,
  bench,
];

export const commands: readonly Command[] = [...working, doctorFor(working)];
