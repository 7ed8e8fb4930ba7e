/** The requests about one page of a batch. */
import { streamChat } from '../api/chat.ts';
import { ApiError } from '../api/connection.ts';
import { userMessage, type VisualPart } from '../api/messages.ts';
import { cellOfText, cellsOfJson } from '../batch/cells.ts';
import { missingColumns, questionOf, schemaOf, usableColumns } from '../batch/plan.ts';
import type { Cell, Plan, Row } from '../batch/types.ts';
import { type Evidence, placesOf, valueSpan } from '../document/evidence.ts';
import { boxesIn } from '../markdown/render.ts';
import { type AnswerProgress, noProgress, progressed } from './progress.ts';
import { chatBody } from './settings.ts';
import { state } from './state.ts';
import { visualPart } from './visual.ts';

export interface PageListener {
  signal: AbortSignal;
  onProgress(progress: AnswerProgress): void;
  /** Receives answers as they arrive. */
  onCells(cells: Record<string, Cell>): void;
}

/** Asks for the missing answers of a row. @throws ApiError; the signal's reason */
export async function askPage(plan: Plan, row: Row, listener: PageListener): Promise<void> {
  const visual = await visualPart(row.imageId, null);
  if (visual === null) throw new ApiError('page', state.value.text.batch.noImage);
  if (plan.kind === 'fields' && plan.asks === 'together') {
    if (missingColumns(plan, row).length > 0) await askTogether(plan, visual, listener);
    return;
  }
  for (const column of missingColumns(plan, row)) {
    const question = questionOf(plan, column, state.value.text.batch.questionFor);
    const { text, evidence } = await answerTo(question, visual, {}, listener);
    // A grounding model writes the boxes itself.
    const boxes = boxesIn(text).flatMap(({ places }) => places);
    listener.onCells({
      [column.id]: cellOfText(column, text, boxes.length > 0 ? boxes : (evidence?.cells ?? [])),
    });
  }
}

async function askTogether(plan: Plan, visual: VisualPart, listener: PageListener): Promise<void> {
  const schema = schemaOf(plan);
  // The mask of the server enforces the form; only the prompt tells the model what the fields mean.
  const question = `${state.value.text.batch.readDocument}\nAnswer with JSON for this schema: ${JSON.stringify(schema)}`;
  const format = { type: 'json_schema', json_schema: { name: 'fields', schema, strict: true } };
  const { text, finishReason, evidence } = await answerTo(
    question,
    visual,
    { response_format: format },
    listener,
  );
  const cells = cellsOfJson(usableColumns(plan), text, (name) => {
    const span = valueSpan(text, name);
    return evidence && span ? placesOf(evidence, span.start, span.end) : [];
  });
  if (cells === null) {
    const { cutOff, noJson } = state.value.text.batch;
    throw new ApiError('incomplete', finishReason === 'length' ? cutOff : noJson);
  }
  listener.onCells(cells);
}

interface PageAnswer {
  text: string;
  finishReason: string | null;
  evidence: Evidence | null;
}

async function answerTo(
  question: string,
  visual: VisualPart,
  more: object,
  { signal, onProgress }: PageListener,
): Promise<PageAnswer> {
  const body = { ...chatBody([userMessage(question, visual)], visual), ...more };
  const answer: PageAnswer = { text: '', finishReason: null, evidence: null };
  let progress = noProgress();
  for await (const event of streamChat(state.value.settings, body, signal)) {
    if (event.type === 'text') answer.text += event.text;
    else if (event.type === 'finished') answer.finishReason = event.reason;
    else if (event.type === 'evidence') answer.evidence = event.evidence;
    else if (event.type === 'progress') {
      progress = progressed(progress, event);
      onProgress(progress);
    }
  }
  return answer;
}
