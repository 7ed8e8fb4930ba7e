/** The state of the page. Actions change it, and views show it. */
import type { ServerInfo } from '../api/server-info.ts';
import type { ServerStatus } from '../api/server-watch.ts';
import type { Batch, Row } from '../batch/types.ts';
import { imageIdOf, pathOf } from '../conversation/tree.ts';
import type { Conversation, Draft, StoredImage } from '../conversation/types.ts';
import type { Place } from '../document/place.ts';
import { en, type Text } from '../language/en.ts';
import { type Database, inMemory } from '../storage/database.ts';
import { readSettings, type Settings } from '../storage/settings.ts';
import type { AnswerProgress } from './progress.ts';
import { Store, useStore } from './store.ts';

/** An answer in progress. */
export interface Running extends AnswerProgress {
  stop: () => void;
}

/** A batch that is being read. */
export interface BatchRun {
  stop: () => void;
  startedAtMs: number;
  /** Rows that were waiting at the start, and how many of them are finished. */
  total: number;
  done: number;
  /** The progress of each row's answer. */
  rows: Record<string, AnswerProgress>;
}

/** Files that are being read into a batch. */
interface Intake {
  stop: () => void;
  done: number;
  total: number;
  name: string;
}

export interface Notice {
  id: string;
  kind: 'info' | 'error';
  text: string;
  action?: { label: string; run: () => void };
}

export interface State {
  text: Text;
  settings: Settings;
  server: ServerStatus;
  /** The last reported properties of the server. */
  info: ServerInfo | null;
  database: Database;
  conversations: Conversation[];
  batches: Batch[];
  images: Record<string, StoredImage>;
  /** By the id of the conversation, or of a batch's page without a conversation; `''` for a new one. */
  drafts: Record<string, Draft>;
  /** Null: a new one. */
  conversationId: string | null;
  /** The visible batch, and its page that is shown instead of the table. */
  batchId: string | null;
  rowId: string | null;
  batchRuns: Record<string, BatchRun>;
  intake: Intake | null;
  /** By turn. */
  running: Record<string, Running>;
  /** The turn whose question is being edited. */
  editing: string | null;
  isPreparing: boolean;
  notices: Notice[];
  /** Read out by a screen reader. */
  announcement: string;
  panel: 'settings' | 'shortcuts' | null;
  isSidebarOpen: boolean;
  /** Places on the document that are highlighted, such as where an answer was read. */
  marked: readonly Place[];
  /** The turn whose boxes are drawn; null: the newest one. */
  boxedTurnId: string | null;
  /** The index of the boxes that are highlighted, on the image and in the answer. */
  markedBox: number | null;
  hidesBoxes: boolean;
  isDragging: boolean;
}

export const state = new Store<State>({
  text: en,
  settings: readSettings(),
  server: { kind: 'connecting' },
  info: null,
  database: inMemory(),
  conversations: [],
  batches: [],
  images: {},
  drafts: {},
  conversationId: null,
  batchId: null,
  rowId: null,
  batchRuns: {},
  intake: null,
  running: {},
  editing: null,
  isPreparing: false,
  notices: [],
  announcement: '',
  panel: null,
  isSidebarOpen: false,
  marked: [],
  boxedTurnId: null,
  markedBox: null,
  hidesBoxes: false,
  isDragging: false,
});

export const useApp = <S>(select: (value: State) => S): S => useStore(state, select);
export const useText = (): Text => useApp((value) => value.text);

export const currentConversation = (value: State): Conversation | null =>
  value.conversations.find(({ id }) => id === value.conversationId) ?? null;

export const currentBatch = (value: State): Batch | null =>
  value.batches.find(({ id }) => id === value.batchId) ?? null;

export const currentRow = (value: State): Row | null =>
  currentBatch(value)?.rows.find(({ id }) => id === value.rowId) ?? null;

/** The change that removes a batch, and closes it if it is open. */
export const withoutBatch = ({ batches, batchId }: State, id: string): Partial<State> => ({
  batches: batches.filter((batch) => batch.id !== id),
  ...(batchId === id && { batchId: null, rowId: null, conversationId: null }),
});

export const draftKey = (value: State): string => value.conversationId ?? value.rowId ?? '';

const NO_DRAFT: Draft = { text: '', imageId: null, region: null };

export const currentDraft = (value: State): Draft => value.drafts[draftKey(value)] ?? NO_DRAFT;

/** The visible image: that of the composer, of the page, or the newest of the conversation, in this order. */
export const shownImageId = (value: State): string | null => {
  const draft = currentDraft(value).imageId;
  if (draft !== null) return draft;
  const conversation = currentConversation(value);
  const asked = conversation ? imageIdOf(pathOf(conversation)) : null;
  return asked ?? currentRow(value)?.imageId ?? null;
};
