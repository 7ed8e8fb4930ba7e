import { useEffect, useRef, useState } from 'preact/hooks';
import { countStates } from '../batch/rows.ts';
import type { Batch } from '../batch/types.ts';
import { type Day, dayOf, firstQuestionOf, found, foundBatches, titleOf } from '../conversation/search.ts';
import type { Conversation } from '../conversation/types.ts';
import { deleteBatch, keepBatch, newBatch, openBatch, renameBatch } from '../state/batches.ts';
import { deleteConversation, openConversation, renameConversation } from '../state/history.ts';
import { state, useApp, useText } from '../state/state.ts';
import { IconButton } from './icon-button.tsx';
import { Icon, type IconName } from './icons.tsx';

export const SEARCH_ID = 'search';
const DAYS: Day[] = ['today', 'yesterday', 'earlier'];

/** The conversations. On a phone it slides over the page. */
export function Sidebar() {
  const text = useText();
  const isOpen = useApp((value) => value.isSidebarOpen);
  const conversations = useApp((value) => value.conversations);
  const images = useApp((value) => value.images);
  const allBatches = useApp((value) => value.batches);
  const [search, setSearch] = useState('');
  const batches = foundBatches(allBatches, search);
  const shown = found(conversations, images, search);
  const now = Date.now();
  return (
    <nav class={`sidebar ${isOpen ? 'open' : ''}`} aria-label={text.conversations}>
      <div class="sidebar-top">
        <button type="button" class="primary wide" onClick={() => openConversation(null)}>
          <Icon name="plus" /> {text.newConversation}
        </button>
        <IconButton
          icon="close"
          kind="narrow-only"
          label={text.closeConversations}
          onClick={() => state.set({ isSidebarOpen: false })}
        />
      </div>
      <button type="button" class="plain" onClick={startBatch}>
        <Icon name="table" /> {text.batch.newTable}
      </button>
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
        {batches.length > 0 && (
          <section>
            <h2>{text.batch.tables}</h2>
            <ul>
              {batches.map((batch) => (
                <BatchEntry key={batch.id} batch={batch} />
              ))}
            </ul>
          </section>
        )}
        {DAYS.map((day) => (
          <Group
            key={day}
            name={text[day]}
            conversations={shown.filter((each) => dayOf(each.updatedAt, now) === day)}
          />
        ))}
        {shown.length + batches.length === 0 && (
          <p class="muted small list-empty">
            {conversations.length + allBatches.length === 0 ? text.noConversations : text.nothingFound}
          </p>
        )}
      </div>
    </nav>
  );
}

/** An empty table, which files can be added to. */
function startBatch(): void {
  const { text } = state.value;
  const batch = newBatch(text.batch.untitled);
  keepBatch(batch);
  openBatch(batch.id);
}

function Group({ name, conversations }: { name: string; conversations: readonly Conversation[] }) {
  if (conversations.length === 0) return null;
  return (
    <section>
      <h2>{name}</h2>
      <ul>
        {conversations.map((conversation) => (
          <ConversationEntry key={conversation.id} conversation={conversation} />
        ))}
      </ul>
    </section>
  );
}

function ConversationEntry({ conversation }: { conversation: Conversation }) {
  const text = useText();
  const isCurrent = useApp(
    ({ conversationId, batchId }) => batchId === null && conversationId === conversation.id,
  );
  const images = useApp((value) => value.images);
  const imageId = conversation.turns.find((turn) => turn.imageId !== null)?.imageId ?? '';
  const title = titleOf(conversation, images) ?? text.untitled;
  const question = firstQuestionOf(conversation);
  return (
    <Entry
      title={title}
      subtitle={question === title ? null : question}
      thumbnail={images[imageId]?.thumbnail}
      icon="chat"
      isCurrent={isCurrent}
      deleteLabel={text.deleteConversation(title)}
      onOpen={() => openConversation(conversation.id)}
      onRename={(name) => renameConversation(conversation.id, name)}
      onDelete={() => deleteConversation(conversation.id)}
    />
  );
}

function BatchEntry({ batch }: { batch: Batch }) {
  const text = useText();
  const isCurrent = useApp(({ batchId }) => batchId === batch.id);
  const run = useApp(({ batchRuns }) => batchRuns[batch.id]);
  const { done, failed } = countStates(batch);
  return (
    <Entry
      title={batch.name}
      subtitle={
        run ? text.batch.progress(run.done, run.total) : text.batch.size(batch.rows.length, done + failed)
      }
      thumbnail={undefined}
      icon="table"
      isCurrent={isCurrent}
      deleteLabel={text.deleteConversation(batch.name)}
      onOpen={() => openBatch(batch.id)}
      onRename={(name) => renameBatch(batch.id, name)}
      onDelete={() => deleteBatch(batch.id)}
    />
  );
}

function Entry(props: {
  title: string;
  subtitle: string | null;
  thumbnail: string | undefined;
  icon: IconName;
  isCurrent: boolean;
  deleteLabel: string;
  onOpen: () => void;
  onRename: (name: string) => void;
  onDelete: () => void;
}) {
  const { title, subtitle, thumbnail, isCurrent } = props;
  const text = useText();
  const [isRenaming, setRenaming] = useState(false);
  return (
    <li class={isCurrent ? 'entry current' : 'entry'}>
      {isRenaming ? (
        <NameField
          name={title}
          onDone={(name) => {
            setRenaming(false);
            if (name !== null && name !== title) props.onRename(name);
          }}
        />
      ) : (
        <button
          type="button"
          class="entry-open"
          aria-current={isCurrent ? 'page' : undefined}
          title={title}
          onClick={props.onOpen}
        >
          {thumbnail ? <img src={thumbnail} alt="" /> : <Icon name={props.icon} />}
          <span class="entry-text">
            <span class="entry-title" dir="auto">
              {title}
            </span>
            {subtitle !== null && (
              <span class="entry-subtitle" dir="auto">
                {subtitle}
              </span>
            )}
          </span>
        </button>
      )}
      {!isRenaming && (
        <span class="entry-tools">
          <IconButton icon="edit" label={text.rename(title)} onClick={() => setRenaming(true)} />
          <IconButton icon="trash" label={props.deleteLabel} onClick={props.onDelete} />
        </span>
      )}
    </li>
  );
}

/** Enter, or leaving the field, renames; Escape cancels. */
function NameField({ name, onDone }: { name: string; onDone: (name: string | null) => void }) {
  const text = useText();
  const field = useRef<HTMLInputElement>(null);
  const isOver = useRef(false);
  useEffect(() => field.current?.select(), []);
  const finish = (written: string | null) => {
    if (isOver.current) return;
    isOver.current = true;
    onDone(written);
  };
  return (
    <input
      ref={field}
      class="entry-name"
      dir="auto"
      aria-label={text.newName}
      defaultValue={name}
      onBlur={({ currentTarget: { value } }) => finish(value)}
      onKeyDown={(event) => {
        if (event.isComposing) return;
        if (event.key === 'Enter') finish(event.currentTarget.value);
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        finish(null);
      }}
    />
  );
}
