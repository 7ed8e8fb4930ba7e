/** Generates docs/cli.md from the definitions behind `--help`. A test fails if the page is out of date. */
import { SLASH_COMMANDS } from '../../src/cli/chat/slash-commands.ts';
import type { Command } from '../../src/cli/command.ts';
import { OTHER_VARIABLES } from '../../src/cli/commands/doctor.ts';
import { EXIT_CODE_MEANINGS, EXIT_CODES } from '../../src/cli/exit-codes.ts';
import { type Flag, flagsOf } from '../../src/cli/flags.ts';
import { argumentText, commands } from '../../src/cli/program.ts';

export function renderReference(): string {
  const exitCodes = Object.entries(EXIT_CODES).map(([name, code]) => [
    String(code),
    EXIT_CODE_MEANINGS[name as keyof typeof EXIT_CODES],
  ]);
  return `${[
    '<!-- Generated from src/cli by `npx vitest run test/cli/command-docs.test.ts -u`. Do not edit. -->',
    '# The command line',
    'Flags override environment variables, which override defaults. The environment is read when the command runs. An error is one sentence on standard error and a non-zero exit status; `--debug` adds the stack trace. Colours and the redrawn progress line appear on a terminal only; `NO_COLOR` turns colours off.',
    ...commands.map(commandSection),
    '## Slash commands of `chat`',
    markdownTable(
      ['command', 'what it does'],
      SLASH_COMMANDS.map(({ usage, about }) => [`\`${usage}\``, about]),
    ),
    '## Other variables',
    markdownTable(
      ['variable', 'meaning'],
      Object.entries(OTHER_VARIABLES).map(([name, about]) => [`\`${name}\``, about]),
    ),
    '## Exit status',
    markdownTable(['status', 'meaning'], exitCodes),
  ].join('\n\n')}\n`;
}

function commandSection(command: Command): string {
  const usage = ['cogvlm2', command.name, ...command.arguments.map(argumentText), '[options]'].join(' ');
  const examples = command.examples.map(({ about, line }) => `# ${about}\n${line}`).join('\n');
  const rows = command.arguments.map(({ name, about }) => [`\`${name}\``, about]);
  return [
    `## cogvlm2 ${command.name}`,
    `${command.summary}.`,
    `\`\`\`sh\n${usage}\n\`\`\``,
    ...(rows.length > 0 ? [markdownTable(['argument', 'meaning'], rows)] : []),
    markdownTable(['flag', 'variable', 'default', 'meaning'], flagsOf(command.options).map(flagRow)),
    command.notes,
    `\`\`\`sh\n${examples}\n\`\`\``,
  ].join('\n\n');
}

function flagRow(flag: Flag): string[] {
  const value = flag.kind === 'switch' ? '' : ` ${flag.value ?? 'VALUE'}`;
  const short = flag.short === undefined ? '' : `\`-${flag.short}\`, `;
  const choices =
    flag.choices.length === 0 ? '' : ` One of ${flag.choices.map((c) => `\`${c}\``).join(', ')}.`;
  const shown = flag.kind === 'switch' ? (flag.defaultValue ? 'on' : 'off') : flag.defaultValue;
  const fallback = shown === undefined || Array.isArray(shown) ? '' : String(shown);
  return [`${short}\`${flag.name}${value}\``, `\`${flag.env}\``, fallback, `${flag.about}${choices}`];
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
