import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { pathOf } from '../conversation/tree.ts';
import { askDraft, stop } from '../state/ask.ts';
import { changeDraft } from '../state/keeping.ts';
import { currentConversation, currentDraft, shownImageId, state, useApp, useText } from '../state/state.ts';
import { ContextMeter } from './context-meter.tsx';
import { IconButton } from './icon-button.tsx';
import { Icon } from './icons.tsx';
import { isSendKey } from './keys.ts';
import { PickFiles } from './pick-files.tsx';

const LEAST_TOLD_SECONDS = 3;

/** The questions of the grounding models' training, which has no Chinese. */
const GROUNDING_SUGGESTIONS = [
  'Where is the … ? answer in [[x0,y0,x1,y1]] format.',
  'Can you provide a description of the image and include the coordinates [[x0,y0,x1,y1]] for each mentioned object?',
];

export const QUESTION_ID = 'question';

export function Composer() {
  const text = useText();
  const draft = useApp(currentDraft);
  const image = useApp(({ images }) => images[draft.imageId ?? '']);
  const hasImage = useApp((value) => shownImageId(value) !== null);
  const hasVideo = useApp((value) => value.images[shownImageId(value) ?? '']?.video != null);
  const imageHint = hasVideo ? text.video.hint : text.questionHintImage;
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
        {(image || isPreparing) && (
          <div class="composer-image small">
            {image && (
              <span class="chip">
                <span dir="auto">{image.name}</span>
                <IconButton
                  icon="close"
                  kind="remove"
                  label={text.removeImage}
                  onClick={() => {
                    changeDraft({ imageId: null, region: null });
                    focusQuestion();
                  }}
                />
              </span>
            )}
            {isPreparing && <span class="muted">{text.preparing}</span>}
          </div>
        )}
        {hasImage && draft.region && (
          <div class="composer-image small">
            <span class="chip">
              <Icon name="region" /> {text.document.regionOnly}
              <IconButton
                icon="close"
                kind="remove"
                label={text.document.wholeImage}
                onClick={() => changeDraft({ region: null })}
              />
            </span>
          </div>
        )}
        {hasImage && draft.text === '' && <Suggestions hasVideo={hasVideo} />}
        <Question value={draft.text} hint={hasImage ? imageHint : text.questionHint} />
        <div class="composer-tools">
          <PickFiles kind="small" />
          <Expected hasImage={hasImage} hasVideo={hasVideo} />
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

/** The expected time of an answer on this server; nothing if it is short. */
function Expected({ hasImage, hasVideo }: { hasImage: boolean; hasVideo: boolean }) {
  const text = useText();
  const seconds = useApp(({ info }) => info?.secondsPerImage ?? null);
  const isRunning = useApp((value) => runningTurn(value) !== undefined);
  if (isRunning || !hasImage || seconds === null || seconds < LEAST_TOLD_SECONDS) return null;
  const expected = hasVideo ? text.video.perVideo : text.batch.perImage;
  return <span class="muted small expected">{expected(seconds)}</span>;
}

/** Questions that the loaded model can answer: the demo model reads printed values, a grounding model writes boxes. */
function Suggestions({ hasVideo }: { hasVideo: boolean }) {
  const text = useText();
  const isDemo = useApp(({ info }) => info?.isDemo === true);
  const isGrounding = useApp(({ info }) => /grounding/i.test(info?.model ?? ''));
  const others = isGrounding ? GROUNDING_SUGGESTIONS : text.suggestions;
  const suggestions = hasVideo ? text.video.suggestions : isDemo ? text.demoSuggestions : others;
  return (
    <div class="suggestions">
      {suggestions.map((suggestion) => (
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

/** The visible turn whose answer is in progress. */
export function runningTurn(value = state.value): string | undefined {
  const conversation = currentConversation(value);
  return conversation ? pathOf(conversation).find(({ id }) => value.running[id])?.id : undefined;
}
