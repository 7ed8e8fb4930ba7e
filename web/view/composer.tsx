import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { pathOf } from '../conversation/tree.ts';
import { askDraft, stop } from '../state/ask.ts';
import { changeDraft } from '../state/keeping.ts';
import { currentConversation, currentDraft, state, useApp, useText } from '../state/state.ts';
import { ContextMeter } from './context-meter.tsx';
import { IconButton } from './icon-button.tsx';
import { Icon } from './icons.tsx';
import { isSendKey } from './keys.ts';
import { PickPicture } from './pick-picture.tsx';
import { PictureCard } from './picture.tsx';

export const QUESTION_ID = 'question';

export function Composer() {
  const text = useText();
  const draft = useApp(currentDraft);
  const picture = useApp(({ pictures }) => pictures[draft.pictureId ?? '']);
  const isPreparing = useApp((value) => value.isPreparing);
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        askDraft();
      }}
    >
      <div class="composer-box">
        {(picture || isPreparing) && (
          <div class="composer-picture">
            {picture && <PictureCard picture={picture} kind="draft" />}
            {picture && (
              <IconButton
                icon="close"
                kind="remove"
                label={text.removePicture}
                onClick={() => {
                  changeDraft({ pictureId: null });
                  focusQuestion();
                }}
              />
            )}
            {isPreparing && <span class="muted small">{text.preparing}</span>}
          </div>
        )}
        {picture && draft.text === '' && <Suggestions />}
        <Question value={draft.text} hint={picture ? text.questionHintPicture : text.questionHint} />
        <div class="composer-tools">
          <PickPicture kind="small" />
          <ContextMeter />
          <SendOrStop isEmpty={draft.text.trim() === ''} />
        </div>
      </div>
    </form>
  );
}

export function focusQuestion(): void {
  document.getElementById(QUESTION_ID)?.focus();
}

function Question({ value, hint }: { value: string; hint: string }) {
  const text = useText();
  const field = useRef<HTMLTextAreaElement>(null);
  const conversationId = useApp((app) => app.conversationId);
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [value]);
  useEffect(() => {
    if (!matchMedia('(pointer: coarse)').matches) field.current?.focus();
  }, [conversationId]);
  return (
    <textarea
      id={QUESTION_ID}
      ref={field}
      rows={1}
      dir="auto"
      aria-label={text.question}
      placeholder={hint}
      value={value}
      onInput={(event) => changeDraft({ text: event.currentTarget.value })}
      onKeyDown={(event) => {
        if (isSendKey(event)) {
          event.preventDefault();
          if (runningTurn() === undefined) askDraft();
        } else if (event.key === 'ArrowUp' && value === '' && !event.isComposing) {
          const last = lastTurn();
          if (last && last.answer.state !== 'running') state.set({ editing: last.id });
        }
      }}
    />
  );
}

function Suggestions() {
  const text = useText();
  return (
    <div class="suggestions">
      {text.suggestions.map((suggestion) => (
        <button
          type="button"
          key={suggestion}
          onClick={() => {
            changeDraft({ text: suggestion });
            focusQuestion();
          }}
        >
          {suggestion}
        </button>
      ))}
    </div>
  );
}

function SendOrStop({ isEmpty }: { isEmpty: boolean }) {
  const text = useText();
  const turnId = useApp(runningTurn);
  const server = useApp((value) => value.server.kind);
  if (turnId !== undefined) {
    return (
      <button
        type="button"
        class="send stop"
        aria-label={text.stop}
        title={text.stop}
        onClick={() => stop(turnId)}
      >
        <span class="square" />
      </button>
    );
  }
  const label = server === 'ready' ? text.send : text.sendWaits[server];
  return (
    <button
      type="submit"
      class="send"
      aria-label={label}
      title={label}
      disabled={isEmpty || server !== 'ready'}
    >
      <Icon name="send" />
    </button>
  );
}

function lastTurn(value = state.value) {
  const conversation = currentConversation(value);
  return conversation ? pathOf(conversation).at(-1) : undefined;
}

/** The turn on show that is being answered. */
export function runningTurn(value = state.value): string | undefined {
  const conversation = currentConversation(value);
  return conversation ? pathOf(conversation).find(({ id }) => value.running[id])?.id : undefined;
}
