/** Synchronizes stored data with other tabs of the page, so that no tab overwrites the changes of another. */
import { withBatch } from '../batch/rows.ts';
import type { Batch } from '../batch/types.ts';
import { withConversation } from '../conversation/search.ts';
import type { Conversation, StoredImage } from '../conversation/types.ts';
import { state, withoutBatch } from './state.ts';

type News =
  | { conversation: Conversation }
  | { image: StoredImage }
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
  const { conversations, images, conversationId, batches } = state.value;
  if ('image' in news) {
    state.set({ images: { ...images, [news.image.id]: news.image } });
  } else if ('conversation' in news) {
    state.set({ conversations: withConversation(conversations, news.conversation) });
  } else if ('batch' in news) {
    state.set({ batches: withBatch(batches, news.batch) });
  } else if ('removedBatchId' in news) {
    state.set(withoutBatch(state.value, news.removedBatchId));
  } else {
    state.set({
      conversations: conversations.filter(({ id }) => id !== news.removedId),
      conversationId: conversationId === news.removedId ? null : conversationId,
    });
  }
}
