import { useState } from 'preact/hooks';
import { type Day, dayOf, found, titleOf } from '../conversation/search.ts';
import type { Conversation } from '../conversation/types.ts';
import { deleteConversation, openConversation } from '../state/history.ts';
import { state, useApp, useText } from '../state/state.ts';
import { IconButton } from './icon-button.tsx';
import { Icon } from './icons.tsx';

export const SEARCH_ID = 'search';
const DAYS: Day[] = ['today', 'yesterday', 'earlier'];

/** The conversations. On a phone it slides over the page. */
export function Sidebar() {
  const text = useText();
  const isOpen = useApp((value) => value.isSidebarOpen);
  const conversations = useApp((value) => value.conversations);
  const pictures = useApp((value) => value.pictures);
  const [search, setSearch] = useState('');
  const shown = found(conversations, pictures, search);
  const now = Date.now();
  return (
    <nav class={`sidebar ${isOpen ? 'open' : ''}`} aria-label={text.conversations}>
      <div class="sidebar-top">
        <button type="button" class="primary wide" onClick={() => openConversation(null)}>
          <Icon name="plus" /> {text.newConversation}
        </button>
        <IconButton
          icon="close"
          kind="phone-only"
          label={text.closeConversations}
          onClick={() => state.set({ isSidebarOpen: false })}
        />
      </div>
      <label class="search">
        <Icon name="search" />
        <input
          id={SEARCH_ID}
          type="search"
          value={search}
          placeholder={text.search}
          aria-label={text.search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </label>
      <div class="list">
        {DAYS.map((day) => (
          <Group
            key={day}
            name={text[day]}
            conversations={shown.filter((each) => dayOf(each.updatedAt, now) === day)}
          />
        ))}
        {shown.length === 0 && (
          <p class="muted small list-empty">
            {conversations.length === 0 ? text.noConversations : text.nothingFound}
          </p>
        )}
      </div>
    </nav>
  );
}

function Group({ name, conversations }: { name: string; conversations: readonly Conversation[] }) {
  if (conversations.length === 0) return null;
  return (
    <section>
      <h2>{name}</h2>
      <ul>
        {conversations.map((conversation) => (
          <Entry key={conversation.id} conversation={conversation} />
        ))}
      </ul>
    </section>
  );
}

function Entry({ conversation }: { conversation: Conversation }) {
  const text = useText();
  const isCurrent = useApp(({ conversationId }) => conversationId === conversation.id);
  const pictureId = conversation.turns.find((turn) => turn.pictureId !== null)?.pictureId ?? '';
  const thumbnail = useApp(({ pictures }) => pictures[pictureId]?.thumbnail);
  const title = titleOf(conversation) ?? text.untitled;
  return (
    <li class={isCurrent ? 'entry current' : 'entry'}>
      <button
        type="button"
        class="entry-open"
        aria-current={isCurrent ? 'page' : undefined}
        onClick={() => openConversation(conversation.id)}
      >
        {thumbnail ? <img src={thumbnail} alt="" /> : <Icon name="chat" />}
        <span class="entry-title" dir="auto">
          {title}
        </span>
      </button>
      <IconButton
        icon="trash"
        kind="entry-delete"
        label={text.deleteConversation(title)}
        onClick={() => deleteConversation(conversation.id)}
      />
    </li>
  );
}
