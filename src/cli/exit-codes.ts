/** Exit statuses, and every error as one sentence with its exit status. Scripts depend on the numbers: add, never renumber. */
import { CommanderError } from 'commander';
import { CogVLM2Error, type ErrorCode } from '../errors.ts';

export const EXIT_CODES = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  input: 3,
  model: 4,
  context: 5,
  machine: 6,
  output: 7,
  partial: 8,
  interrupted: 130,
} as const;

export const EXIT_CODE_MEANINGS: Readonly<Record<keyof typeof EXIT_CODES, string>> = {
  ok: 'Done.',
  unexpected: 'An error inside cogvlm2 or its engine; `--debug` shows where.',
  usage: 'Unknown command or flag, missing argument, or a value outside its limits.',
  input:
    'The picture (or another input file, or server) is not there, cannot be read, is damaged or too large.',
  model: 'No model under that name, or its files are damaged or do not fit each other.',
  context: 'Picture, question and answer do not fit the context.',
  machine: 'The engine does not run on this machine, or there is not enough memory.',
  output: 'Writing failed: disk full, or no permission.',
  partial: 'Done, but some of many inputs got an error in the place of an answer, or have none.',
  interrupted: 'Stopped by Ctrl-C.',
};

/** Every error code of the library, so that a new one does not compile until it has an exit status. */
const EXIT_OF_ERROR: Readonly<Record<ErrorCode, keyof typeof EXIT_CODES>> = {
  invalid_value: 'usage',
  invalid_json_schema: 'usage',
  file_not_found: 'input',
  invalid_image: 'input',
  image_too_large: 'input',
  invalid_checkpoint: 'model',
  model_not_found: 'model',
  context_length_exceeded: 'context',
  engine_unavailable: 'machine',
  out_of_memory: 'machine',
  queue_full: 'machine',
  engine_bug: 'unexpected',
  answer_incomplete: 'context',
  answer_rejected: 'unexpected',
  answers_missing: 'partial',
  disposed: 'unexpected',
  write_failed: 'output',
  download_failed: 'output',
  endpoint_failed: 'input',
  endpoint_refused: 'input',
  aborted: 'interrupted',
};

export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[EXIT_OF_ERROR[code] ?? 'unexpected'];
}

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
