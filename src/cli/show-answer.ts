/** One answer on standard output, as it comes. */
import { CogVLM2Error } from '../errors.ts';
import type { AnswerStream } from '../generate/answer-stream.ts';
import type { Answer } from '../generate/types.ts';
import { printable } from './format.ts';
import type { ProgressReport } from './progress.ts';
import type { Terminal } from './terminal.ts';

/** Writes the text as it comes, unless it is kept for the JSON. */
export async function showAnswer(
  stream: AnswerStream,
  terminal: Terminal,
  progress: ProgressReport,
  hidden = false,
): Promise<Answer> {
  let answer: Answer | undefined;
  let lineOpen = false;
  try {
    for await (const event of stream) {
      if (event.type === 'progress') progress.report(event.progress);
      else if (event.type === 'done') answer = event.answer;
      else if (!hidden && event.text !== '') {
        progress.clear();
        terminal.stdout.write(printable(event.text, terminal.stdout));
        lineOpen = !event.text.endsWith('\n');
      }
    }
  } finally {
    progress.clear();
    if (lineOpen) terminal.stdout.write('\n');
  }
  if (answer === undefined) throw new CogVLM2Error('aborted', 'The answer ended before it was complete.');
  if (!hidden && answer.text === '') terminal.stdout.write('\n');
  return answer;
}
