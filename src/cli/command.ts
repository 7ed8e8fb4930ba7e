/** A command: texts for the help, one schema for its options, and a function. */
import type { z } from 'zod';
import type { Library } from './library-calls.ts';
import type { Terminal } from './terminal.ts';

export interface Context {
  readonly terminal: Terminal;
  readonly library: Library;
}

interface Argument {
  /** In capitals, as in the usage line. */
  name: string;
  about: string;
  /** The command fails without it. */
  required?: boolean;
  /** Shown in brackets. If neither flag is set, the command itself checks the argument. */
  optional?: boolean;
  /** Takes all remaining words. */
  variadic?: boolean;
}

interface Example {
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
  /** Markdown for docs/cli.md that the tables do not cover. */
  notes: string;
  /** Resolves to the exit status. Throws an error for every failure that must be reported. */
  run(args: readonly string[], options: z.output<S>, context: Context): Promise<number>;
}

/** Checks the type of `run` against the schema, then erases the schema's type. */
export function defineCommand<S extends z.ZodObject>(command: Command<S>): Command {
  return command as unknown as Command;
}
