/** Tells the page's other tabs what was kept here, and takes over what they keep: one of them must not undo another. */
import type { Batch } from '../batch/types.ts';
import { withConversation } from '../conversation/search.ts';
import type { Conversation, Picture } from '../conversation/types.ts';
import { state } from './state.ts';

type News =
  | { conversation: Conversation }
  | { picture: Picture }
  | { removedId: string }
  | { batch: Batch }
  | { removedBatchId: string };

const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('cogvlm2');

export function tellOtherTabs(news: News): void {
  channel?.postMessage(news);
}

export function listenToOtherTabs(): void {
  channel?.addEventListener('message', ({ data }: MessageEvent<News>) => take(data));
}

function take(news: News): void {
  const { conversations, pictures, conversationId, batches, batchId } = state.value;
  if ('picture' in news) {
    state.set({ pictures: { ...pictures, [news.picture.id]: news.picture } });
  } else if ('conversation' in news) {
    state.set({ conversations: withConversation(conversations, news.conversation) });
  } else if ('batch' in news) {
    const others = batches.filter(({ id }) => id !== news.batch.id);
    state.set({ batches: [news.batch, ...others].sort((a, b) => b.createdAt - a.createdAt) });
  } else if ('removedBatchId' in news) {
    state.set({
      batches: batches.filter(({ id }) => id !== news.removedBatchId),
      ...(batchId === news.removedBatchId && { batchId: null, rowId: null, conversationId: null }),
    });
  } else {
    state.set({
      conversations: conversations.filter(({ id }) => id !== news.removedId),
      conversationId: conversationId === news.removedId ? null : conversationId,
    });
  }
}
