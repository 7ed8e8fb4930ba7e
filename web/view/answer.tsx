import { imageIdOf, pathTo } from '../conversation/tree.ts';
import type { Answer as AnswerOf, Conversation, Turn } from '../conversation/types.ts';
import type { Text } from '../language/en.ts';
import { askAgain } from '../state/ask.ts';
import { copyText } from '../state/clipboard.ts';
import { onShownImage } from '../state/images.ts';
import { useApp, useText } from '../state/state.ts';
import { Boundary } from './boundary.tsx';
import { mark, markBox, showBoxesOf, unmark } from './document/marks.tsx';
import { IconButton } from './icon-button.tsx';
import { Icon } from './icons.tsx';
import { Markdown } from './markdown.tsx';
import { Progress } from './progress.tsx';

export function Answer({ conversation, turn }: { conversation: Conversation; turn: Turn }) {
  const { answer } = turn;
  const running = useApp((value) => value.running[turn.id]);
  const imageId = imageIdOf(pathTo(conversation, turn.id));
  // The boxes of another answer may be visible.
  const markedBox = useApp((value) => (value.boxedTurnId === turn.id ? value.markedBox : null));
  const isRunning = running !== undefined;
  return (
    <div
      class="answer"
      aria-busy={isRunning}
      data-state={answer.state}
      onPointerEnter={() => markAnswer(conversation, turn)}
      onPointerLeave={unmark}
    >
      <h2 class="off-screen">CogVLM2</h2>
      {answer.text !== '' && (
        <Boundary fallback={<pre class="plain-text">{answer.text}</pre>}>
          <Markdown
            text={answer.text}
            isGrowing={isRunning}
            boxes={
              imageId === null ? null : { marked: markedBox, onMark: (index) => markBox(turn.id, index) }
            }
          />
        </Boundary>
      )}
      {running && answer.text === '' && <Progress progress={running} />}
      {running && answer.text !== '' && <span class="caret" aria-hidden="true" />}
      {!isRunning && <Ending conversation={conversation} turn={turn} />}
      {!isRunning && answer.text !== '' && <AnswerTools conversation={conversation} turn={turn} />}
    </div>
  );
}

/** How the answer ended, unless it ended normally. */
function Ending({ conversation, turn }: { conversation: Conversation; turn: Turn }) {
  const text = useText();
  const isReady = useApp(({ server }) => server.kind === 'ready');
  const { answer } = turn;
  const again = (
    <button type="button" class="plain" disabled={!isReady} onClick={() => askAgain(conversation, turn)}>
      <Icon name="again" /> {text.tryAgain}
    </button>
  );
  return (
    <>
      {answer.warning && <p class="note">{answer.warning}</p>}
      {answer.failure && answer.state === 'failed' && (
        <div class="failure">
          <Icon name="warning" />
          <div>
            <p>{text.failures[answer.failure.code] ?? text.failed}</p>
            <FailureDetail code={answer.failure.code} message={answer.failure.message} />
          </div>
          {again}
        </div>
      )}
      {endingOf(answer, text) && (
        <div class="note ending">
          {endingOf(answer, text)} {answer.text === '' && again}
        </div>
      )}
    </>
  );
}

/** The server's message, in English: shown at once if the page has no text for the code, otherwise on demand. */
function FailureDetail({ code, message }: { code: string; message: string }) {
  const text = useText();
  if (code === 'unreachable') return null;
  if (text.failures[code] === undefined) return <p class="muted">{message}</p>;
  return (
    <details class="muted">
      <summary>{text.failureDetail}</summary>
      <span lang="en">{message}</span>
    </details>
  );
}

function endingOf(answer: AnswerOf, text: Text): string | null {
  if (answer.state === 'stopped') return text.stopped;
  if (answer.state === 'interrupted') return text.interrupted;
  // In another tab.
  if (answer.state === 'running') return text.answering;
  if (answer.state === 'done' && answer.finishReason === 'length') return text.cutShort;
  return answer.state === 'done' && answer.text === '' ? text.empty : null;
}

/** Marks where an answer was read, if its image is visible, and shows its boxes. */
function markAnswer(conversation: Conversation, turn: Turn): void {
  const { evidence } = turn.answer;
  const imageId = imageIdOf(pathTo(conversation, turn.id));
  mark(onShownImage(evidence?.cells ?? [], imageId, turn.region));
  showBoxesOf(turn.id);
}

function AnswerTools({ conversation, turn }: { conversation: Conversation; turn: Turn }) {
  const text = useText();
  const isReady = useApp(({ server }) => server.kind === 'ready');
  const showsDetails = useApp(({ settings }) => settings.showsDetails);
  const { speed, usage } = turn.answer;
  return (
    <div class="tools">
      {turn.answer.evidence && (
        <IconButton icon="eye" label={text.whereRead} onClick={() => markAnswer(conversation, turn)} />
      )}
      <IconButton icon="copy" label={text.copy} onClick={() => copyText(turn.answer.text)} />
      <IconButton
        icon="again"
        label={text.askAgain}
        disabled={!isReady}
        onClick={() => askAgain(conversation, turn)}
      />
      {showsDetails && speed && usage && (
        <span class="speed">
          {text.speed(usage.completionTokens, speed.tokensPerSecond, speed.firstTokenMs / 1000)}
        </span>
      )}
    </div>
  );
}
