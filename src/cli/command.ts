/** What a command is: words for the help, one schema for its options, and a function. */
import type { z } from 'zod';
import type { Library } from './library.ts';
import type { Terminal } from './terminal.ts';

export interface Context {
  readonly terminal: Terminal;
  readonly library: Library;
}

export interface Argument {
  /** As the usage line shows it, in capitals. */
  name: string;
  about: string;
  /** Refused without it before the command runs. */
  required?: boolean;
  /** May be left out; the usage line shows brackets. With neither, the command itself judges. */
  optional?: boolean;
  /** Takes all the words that are left. */
  variadic?: boolean;
}

export interface Example {
  about: string;
  line: string;
}

export interface Command<S extends z.ZodObject = z.ZodObject> {
  name: string;
  /** One line, for the list of commands. */
  summary: string;
  arguments: readonly Argument[];
  options: S;
  examples: readonly Example[];
  /** Markdown for docs/cli.md: what the tables do not say. */
  notes: string;
  /** Resolves to the exit status when that is not 0; throws for everything that deserves a sentence. */
  run(args: readonly string[], options: z.output<S>, context: Context): Promise<number>;
}

/** Checks a command's `run` against its own schema, then forgets which schema that was. */
export function defineCommand<S extends z.ZodObject>(command: Command<S>): Command {
  return command as unknown as Command;
}
