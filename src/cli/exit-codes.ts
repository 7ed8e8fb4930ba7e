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
  unexpected: 'A bug in cogvlm2 or its engine; `--debug` prints the stack trace.',
  usage: 'Unknown command or flag, missing argument, or a value outside its limits.',
  input: 'The image, another input file or a server is missing, unreadable, damaged or too large.',
  model: 'No model of that name, or its files are damaged or inconsistent.',
  context: 'Image, question and answer do not fit into the context.',
  machine: 'The engine does not run on this machine, or there is too little memory.',
  output: 'Writing failed: disk full or permission denied.',
  partial: 'Done, but some inputs have an error instead of an answer.',
  interrupted: 'Stopped by Ctrl-C.',
};

/** A new error code does not compile until it has an exit status here. */
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
    sentence: `unexpected error: ${oneLine(message)} (--debug prints the stack trace)`,
    exitCode: EXIT_CODES.unexpected,
  };
}

/** `cogvlm2: …`, as written to standard error. */
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
