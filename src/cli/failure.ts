/** Any error as what a person gets: one sentence, and an exit status. The stack is for `--debug` only. */
import { CommanderError } from 'commander';
import { CogVLM2Error } from '../errors.ts';
import { EXIT_CODES, exitCodeOf } from './exit-codes.ts';

export interface Failure {
  sentence: string;
  exitCode: number;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof CogVLM2Error) {
    const sentence = error.code === 'aborted' ? 'interrupted.' : oneLine(error.message);
    return { sentence, exitCode: exitCodeOf(error.code) };
  }
  if (error instanceof CommanderError) return { sentence: usageSentence(error), exitCode: EXIT_CODES.usage };
  if (error instanceof Error && error.name === 'AbortError') {
    return { sentence: 'interrupted.', exitCode: EXIT_CODES.interrupted };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    sentence: `unexpected error: ${oneLine(message)} (--debug shows where)`,
    exitCode: EXIT_CODES.unexpected,
  };
}

/** `cogvlm2: …` as it is written to standard error. */
export function failureText(error: unknown, debug: boolean): string {
  const line = `cogvlm2: ${failureOf(error).sentence}\n`;
  if (!debug || !(error instanceof Error)) return line;
  const cause = error.cause instanceof Error ? `caused by ${error.cause.stack}\n` : '';
  return `${line}${error.stack}\n${cause}`;
}

/** commander says "error: unknown option '--modle'\n(Did you mean --model?)". */
function usageSentence(error: CommanderError): string {
  const text = oneLine(error.message.replace(/^error: /, '')).replace('(Did you', '(did you');
  return /[.?)]$/.test(text) ? text : `${text}.`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').trim();
}
