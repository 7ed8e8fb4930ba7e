/** What the page knows right now. Actions change it, views follow it. */
import type { Stage } from '../api/chat.ts';
import type { ServerInfo } from '../api/server-info.ts';
import type { ServerStatus } from '../api/server-watch.ts';
import type { Conversation, Draft, Picture } from '../conversation/types.ts';
import { en, type Text } from '../language/en.ts';
import { type Database, inMemory } from '../storage/database.ts';
import type { Settings } from '../storage/settings.ts';
import { Store, useStore } from './store.ts';

/** An answer on its way. */
export interface Running {
  stop: () => void;
  stage: Stage | null;
  done: number;
  total: number;
  stageSinceMs: number;
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
  /** What the server last said of itself. */
  info: ServerInfo | null;
  database: Database;
  conversations: Conversation[];
  pictures: Record<string, Picture>;
  /** By conversation; `''` for a new one. */
  drafts: Record<string, Draft>;
  /** Null: a new one. */
  conversationId: string | null;
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
  /** The picture that is shown large. */
  viewing: string | null;
  isDragging: boolean;
}

export const state = new Store<State>({
  text: en,
  settings: { language: 'auto', theme: 'auto', apiKey: '', sampling: {} },
  server: { kind: 'connecting' },
  info: null,
  database: inMemory(),
  conversations: [],
  pictures: {},
  drafts: {},
  conversationId: null,
  running: {},
  editing: null,
  isPreparing: false,
  notices: [],
  announcement: '',
  panel: null,
  isSidebarOpen: false,
  viewing: null,
  isDragging: false,
});

export const useApp = <S>(select: (value: State) => S): S => useStore(state, select);
export const useText = (): Text => useApp((value) => value.text);

export const currentConversation = (value: State): Conversation | null =>
  value.conversations.find(({ id }) => id === value.conversationId) ?? null;

export const draftKey = (value: State): string => value.conversationId ?? '';

const NO_DRAFT: Draft = { text: '', pictureId: null };

export const currentDraft = (value: State): Draft => value.drafts[draftKey(value)] ?? NO_DRAFT;
