import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { pathOf } from '../conversation/tree.ts';
import type { Conversation } from '../conversation/types.ts';
import { useText } from '../state/state.ts';
import { Boundary } from './boundary.tsx';
import { IconButton } from './icon-button.tsx';
import { TurnView } from './turn.tsx';

/** Maximum distance to the end, in pixels, at which the view follows the answer. */
const NEAR = 60;

/** The turns. The view follows the answer unless the user has scrolled away from its end. */
export function Thread({ conversation }: { conversation: Conversation }) {
  const text = useText();
  const scroller = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const [isAway, setAway] = useState(false);
  const path = pathOf(conversation);
  const lastId = path.at(-1)?.id;

  const toEnd = () => scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  useEffect(() => {
    follows.current = true;
    toEnd();
  }, [conversation.id, lastId]);
  useLayoutEffect(() => {
    if (follows.current) toEnd();
  });

  return (
    <div
      class="scroller"
      ref={scroller}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        follows.current = scrollHeight - scrollTop - clientHeight < NEAR;
        setAway(!follows.current);
      }}
    >
      <div class="thread" onLoadCapture={() => follows.current && toEnd()}>
        {path.map((turn, index) => (
          <Boundary
            key={turn.id}
            fallback={<pre class="plain-text">{`${turn.question}\n\n${turn.answer.text}`}</pre>}
          >
            <TurnView conversation={conversation} turn={turn} isFirst={index === 0} />
          </Boundary>
        ))}
      </div>
      {isAway && (
        <div class="to-latest">
          <IconButton
            icon="down"
            label={text.latest}
            kind="raised"
            onClick={() => {
              follows.current = true;
              toEnd();
            }}
          />
        </div>
      )}
    </div>
  );
}
