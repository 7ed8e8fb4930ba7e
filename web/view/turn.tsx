import { useEffect, useRef, useState } from 'preact/hooks';
import { imageIdOf, pathTo, versionsOf } from '../conversation/tree.ts';
import type { Conversation, Turn } from '../conversation/types.ts';
import { askVersion } from '../state/ask.ts';
import { showVersion } from '../state/history.ts';
import { onShownImage } from '../state/images.ts';
import { state, useApp, useText } from '../state/state.ts';
import { Answer } from './answer.tsx';
import { mark, unmark } from './document/marks.tsx';
import { IconButton } from './icon-button.tsx';
import { Icon } from './icons.tsx';
import { isSendKey } from './keys.ts';

/** A question and its answer. */
export function TurnView({
  conversation,
  turn,
  isFirst,
}: {
  conversation: Conversation;
  turn: Turn;
  isFirst: boolean;
}) {
  const text = useText();
  const { region } = turn;
  const image = useApp(({ images }) => (turn.imageId === null ? undefined : images[turn.imageId]));
  const markRegion = () =>
    region && mark(onShownImage([region], imageIdOf(pathTo(conversation, turn.id)), null));
  const isEditing = useApp(({ editing }) => editing === turn.id);
  return (
    <article class="turn">
      <div class="question">
        <h2 class="off-screen">{text.you}</h2>
        {image && !isFirst && (
          <p class="note">
            <strong dir="auto">{image.name}</strong>: {text.newImage}
          </p>
        )}
        {region && (
          <button
            type="button"
            class="chip"
            onPointerEnter={markRegion}
            onPointerLeave={unmark}
            onFocus={markRegion}
            onBlur={unmark}
          >
            <Icon name="region" /> {text.document.regionAsked}
          </button>
        )}
        {isEditing ? (
          <QuestionEditor conversation={conversation} turn={turn} />
        ) : (
          <div class="bubble" dir="auto">
            {turn.question}
          </div>
        )}
        {!isEditing && <QuestionTools conversation={conversation} turn={turn} />}
      </div>
      <Answer conversation={conversation} turn={turn} />
    </article>
  );
}

function QuestionTools({ conversation, turn }: { conversation: Conversation; turn: Turn }) {
  const text = useText();
  const versions = versionsOf(conversation, turn);
  const index = versions.findIndex(({ id }) => id === turn.id);
  const show = (step: number) => {
    const other = versions[index + step];
    if (other) showVersion(conversation, other);
  };
  return (
    <div class="tools question-tools">
      {versions.length > 1 && (
        <span class="versions">
          <IconButton
            icon="left"
            label={text.previousVersion}
            disabled={index === 0}
            onClick={() => show(-1)}
          />
          <span>
            <span aria-hidden="true">
              {index + 1} / {versions.length}
            </span>
            <span class="off-screen">{text.version(index + 1, versions.length)}</span>
          </span>
          <IconButton
            icon="right"
            label={text.nextVersion}
            disabled={index === versions.length - 1}
            onClick={() => show(1)}
          />
        </span>
      )}
      <IconButton
        icon="edit"
        label={text.editQuestion}
        disabled={turn.answer.state === 'running'}
        onClick={() => state.set({ editing: turn.id })}
      />
    </div>
  );
}

function QuestionEditor({ conversation, turn }: { conversation: Conversation; turn: Turn }) {
  const text = useText();
  const isReady = useApp(({ server }) => server.kind === 'ready');
  const [question, setQuestion] = useState(turn.question);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(question.length, question.length);
  }, []);
  const cancel = () => state.set({ editing: null });
  const send = () => {
    if (question.trim() !== '' && isReady) askVersion(conversation, turn, question.trim());
  };
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        dir="auto"
        aria-label={text.editQuestion}
        value={question}
        rows={Math.min(8, question.split('\n').length + 1)}
        onInput={(event) => setQuestion(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            event.stopPropagation();
            cancel();
          } else if (isSendKey(event)) {
            event.preventDefault();
            send();
          }
        }}
      />
      <div class="editor-buttons">
        <button type="button" class="plain" onClick={cancel}>
          {text.cancel}
        </button>
        <button type="submit" class="primary" disabled={!isReady || question.trim() === ''}>
          {text.send}
        </button>
      </div>
    </form>
  );
}
