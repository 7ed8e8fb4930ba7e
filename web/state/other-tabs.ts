/** Tells the page's other tabs what was kept here, and takes over what they keep: one of them must not undo another. */
import type { Conversation, Picture } from '../conversation/types.ts';
import { state } from './state.ts';

type News = { conversation: Conversation } | { picture: Picture } | { removedId: string };

const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('cogvlm2');

export function tellOtherTabs(news: News): void {
  channel?.postMessage(news);
}

export function listenToOtherTabs(): void {
  channel?.addEventListener('message', ({ data }: MessageEvent<News>) => take(data));
}

function take(news: News): void {
  const { conversations, pictures, conversationId } = state.value;
  if ('picture' in news) {
    state.set({ pictures: { ...pictures, [news.picture.id]: news.picture } });
    return;
  }
  const id = 'removedId' in news ? news.removedId : news.conversation.id;
  const others = conversations.filter((each) => each.id !== id);
  if ('removedId' in news) {
    state.set({ conversations: others, conversationId: conversationId === id ? null : conversationId });
  } else {
    state.set({ conversations: [news.conversation, ...others].sort((a, b) => b.updatedAt - a.updatedAt) });
  }
}
