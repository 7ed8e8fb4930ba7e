/** Asks a new question, an edited one or the same one again, and stops answers. */
import { type ChatEvent, cancelChat, streamChat } from '../api/chat.ts';
import { failureOf } from '../api/connection.ts';
import type { Json } from '../api/json.ts';
import { messagesOf } from '../api/messages.ts';
import { withRow } from '../batch/rows.ts';
import { emptyAnswer, imageIdOf, pathOf, pathTo, withAnswer, withTurn } from '../conversation/tree.ts';
import type { Answer, Conversation, Turn } from '../conversation/types.ts';
import { newId } from '../storage/new-id.ts';
import { changeBatch } from './batches.ts';
import { changeDraft, keepConversation, keepConversationSoon } from './keeping.ts';
import { LONG_MS, notifyAtEnd } from './notify-at-end.ts';
import { noProgress, progressed } from './progress.ts';
import { chatBody } from './settings.ts';
import { currentConversation, currentDraft, currentRow, type Running, state } from './state.ts';
import { visualPart } from './visual.ts';
import { checkServer } from './watch.ts';

/** After this time the connection is closed, even without a reply to the cancel request. */
const LONGEST_CANCEL_MS = 300;

/** Asks the question in the composer. */
export function askDraft(): void {
  const { text, imageId, region } = currentDraft(state.value);
  if (text.trim() === '' || state.value.server.kind !== 'ready') return;
  const conversation = currentConversation(state.value) ?? newConversation();
  const parentId = pathOf(conversation).at(-1)?.id ?? null;
  const isFirst = conversation.turns.length === 0;
  const row = currentRow(state.value);
  changeDraft({ text: '', imageId: null, region: null });
  state.set({ conversationId: conversation.id });
  const { batchId } = state.value;
  if (row && batchId !== null && isFirst)
    changeBatch(batchId, (batch) => withRow(batch, row.id, { conversationId: conversation.id }));
  // The first question about a page of a batch is about its image.
  const asked = imageId ?? (isFirst ? (row?.imageId ?? null) : null);
  void ask(conversation, newTurn({ parentId, question: text.trim(), imageId: asked, region }));
}

/** Asks an edited question. The old one is kept as a version. */
export function askVersion(conversation: Conversation, turn: Turn, question = turn.question): void {
  state.set({ editing: null });
  const { parentId, imageId, region } = turn;
  void ask(conversation, newTurn({ parentId, question, imageId, region }));
}

/** Asks the same question again. It replaces a turn without an answer; otherwise it is a new version. */
export function askAgain(conversation: Conversation, turn: Turn): void {
  if (turn.answer.text === '') void ask(conversation, { ...turn, answer: emptyAnswer });
  else askVersion(conversation, turn);
}

export function stop(turnId: string): void {
  state.value.running[turnId]?.stop();
}

function newConversation(): Conversation {
  const now = Date.now();
  return { id: newId(), title: null, createdAt: now, updatedAt: now, turns: [], chosen: {} };
}

function newTurn(of: Pick<Turn, 'parentId' | 'question' | 'imageId' | 'region'>): Turn {
  return { id: newId(), createdAt: Date.now(), answer: emptyAnswer, ...of };
}

async function ask(conversation: Conversation, turn: Turn): Promise<void> {
  keepConversation(withTurn(conversation, turn, Date.now()));
  const { text: words, settings } = state.value;
  const abort = new AbortController();
  const answer = new AnswerSoFar(conversation.id, turn.id);
  const sinceMs = performance.now();
  let isStopped = false;
  setRunning(turn.id, {
    stop: () => {
      isStopped = true;
      const cancelled = answer.id === null ? null : cancelChat(settings, answer.id);
      void Promise.race([cancelled, sleep(LONGEST_CANCEL_MS)]).then(() => abort.abort());
    },
    ...noProgress(),
  });
  state.set({ announcement: words.waiting });
  try {
    const body = await requestBody(conversation.id, turn.id);
    for await (const event of streamChat(settings, body, abort.signal)) answer.take(event);
    answer.end({ state: 'done' });
    state.set({ announcement: answer.text });
    if (performance.now() - sinceMs > LONG_MS) notifyAtEnd(turn.question, answer.text);
    // Reads the times that the server has measured.
    if (state.value.info?.secondsPerImage == null) checkServer(true);
  } catch (error) {
    if (isStopped) {
      answer.end({ state: 'stopped' });
      state.set({ announcement: words.stopped });
    } else {
      const failure = failureOf(error);
      answer.end({ state: 'failed', failure });
      state.set({ announcement: `${words.failures[failure.code] ?? words.failed} ${failure.message}` });
      checkServer();
    }
  } finally {
    setRunning(turn.id, null);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function requestBody(conversationId: string, turnId: string): Promise<Json> {
  const { conversations } = state.value;
  const conversation = conversations.find(({ id }) => id === conversationId);
  const path = conversation ? pathTo(conversation, turnId) : [];
  const visual = await visualPart(imageIdOf(path), path.at(-1)?.region ?? null);
  return chatBody(messagesOf(path, visual), visual);
}

/** Collects the events of one answer and shows them at most once in each frame. */
class AnswerSoFar {
  id: string | null = null;
  text = '';
  readonly #conversationId: string;
  readonly #turnId: string;
  readonly #sinceMs = performance.now();
  #change: Partial<Answer> = {};
  #firstTokenMs: number | null = null;
  #lastTokenMs = 0;
  #rate: number | null = null;
  #frame = 0;

  constructor(conversationId: string, turnId: string) {
    this.#conversationId = conversationId;
    this.#turnId = turnId;
  }

  take(event: ChatEvent): void {
    if (event.type === 'started') {
      this.id = event.id;
      this.#change.model = event.model;
    } else if (event.type === 'progress') {
      showProgress(this.#turnId, event);
    } else if (event.type === 'text') {
      this.#lastTokenMs = performance.now() - this.#sinceMs;
      this.#firstTokenMs ??= this.#lastTokenMs;
      this.text += event.text;
      this.#change.text = this.text;
    } else if (event.type === 'finished') this.#change.finishReason = event.reason;
    else if (event.type === 'warning') this.#change.warning = event.message;
    else if (event.type === 'evidence') this.#change.evidence = event.evidence;
    else if (event.type === 'usage') this.#change.usage = event.usage;
    else this.#rate = event.tokensPerSecond;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#apply(keepConversationSoon);
    });
  }

  end(change: Partial<Answer>): void {
    cancelAnimationFrame(this.#frame);
    Object.assign(this.#change, change, { speed: this.#speed() });
    this.#apply(keepConversation);
  }

  #apply(keep: (conversation: Conversation) => void): void {
    const conversation = state.value.conversations.find(({ id }) => id === this.#conversationId);
    // The turn was deleted.
    if (conversation) keep(withAnswer(conversation, this.#turnId, this.#change));
  }

  /** The server's rate, or the rate measured here from the second token on. */
  #speed(): Answer['speed'] {
    if (this.#firstTokenMs === null) return null;
    const seconds = (this.#lastTokenMs - this.#firstTokenMs) / 1000;
    const tokens = this.#change.usage?.completionTokens ?? 0;
    const seen = tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : null;
    return { firstTokenMs: this.#firstTokenMs, tokensPerSecond: this.#rate ?? seen };
  }
}

function showProgress(turnId: string, event: ChatEvent & { type: 'progress' }): void {
  const running = state.value.running[turnId];
  if (!running) return;
  setRunning(turnId, { ...running, ...progressed(running, event) });
  if (running.stage !== event.stage) state.set({ announcement: state.value.text.stages[event.stage] });
}

function setRunning(turnId: string, running: Running | null): void {
  const { [turnId]: _, ...others } = state.value.running;
  state.set({ running: running ? { ...others, [turnId]: running } : others });
}
