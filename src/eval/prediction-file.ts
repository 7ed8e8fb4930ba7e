/** Reading a predictions file: the header, and of each question the last line that holds. */
import { CogVLM2Error } from '../errors.ts';
import { parseJson } from '../files/json.ts';
import { linesOf } from './lines.ts';
import {
  type Failure,
  failureSchema,
  type Header,
  headerSchema,
  type Prediction,
  predictionSchema,
} from './prediction.ts';

export interface PredictionFile {
  readonly header: Header;
  /** By place in the data; an answer replaces a failure, never the other way round. */
  readonly lines: readonly (Prediction | Failure)[];
}

/** Half a line at the end, which a killed run leaves, is none. @throws CogVLM2Error `invalid_value`. */
export async function readPredictions(file: string): Promise<PredictionFile> {
  const lines = new Map<string, Prediction | Failure>();
  let header: Header | undefined;
  for await (const { text, ended } of linesOf(file)) {
    const value = parsed(text);
    if (header === undefined) {
      header = asHeader(value, file);
      continue;
    }
    const line = ended ? asLine(value) : undefined;
    if (line === undefined) continue;
    const earlier = lines.get(line.id);
    if (earlier === undefined || isAnswer(line) || !isAnswer(earlier)) lines.set(line.id, line);
  }
  if (header === undefined) throw notPredictions(file);
  return { header, lines: [...lines.values()].sort((left, right) => left.run.row - right.run.row) };
}

export function isAnswer(line: Prediction | Failure): line is Prediction {
  return 'prediction' in line;
}

export function asLine(value: unknown): Prediction | Failure | undefined {
  const answer = predictionSchema.safeParse(value);
  if (answer.success) return answer.data;
  const failure = failureSchema.safeParse(value);
  return failure.success ? failure.data : undefined;
}

/** @throws CogVLM2Error `invalid_value` where the file begins with something else. */
export function asHeader(value: unknown, file: string): Header {
  const found = headerSchema.safeParse(value);
  if (found.success) return found.data;
  throw notPredictions(file);
}

function notPredictions(file: string): CogVLM2Error {
  return new CogVLM2Error(
    'invalid_value',
    `${file} is no predictions file of \`cogvlm2 eval run\`: its first line is no header of version 1.`,
  );
}

function parsed(text: string): unknown {
  try {
    return parseJson(text, 'The line');
  } catch {
    return undefined;
  }
}
