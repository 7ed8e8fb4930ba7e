import { useEffect, useMemo, useRef } from 'preact/hooks';
import { imageIdOf, pathOf, pathTo } from '../../conversation/tree.ts';
import type { Turn } from '../../conversation/types.ts';
import type { Place } from '../../document/place.ts';
import { BOX_COLOURS } from '../../markdown/draw-boxes.ts';
import { type Boxes as BoxesOf, boxesIn } from '../../markdown/render.ts';
import { onShownImage } from '../../state/images.ts';
import { currentConversation, type State, shownImageId, state, useApp } from '../../state/state.ts';
import { markBox } from './marks.tsx';

/** A box that begins within this share of the image's height has its label inside. */
const LABEL_HEIGHT = 0.06;

/** The boxes of one answer on the image: the answer under the pointer or with the focus; otherwise the newest one. */
export function Boxes() {
  const turn = useApp(boxedTurn);
  const boxes = useShownBoxes();
  const markedBox = useApp((value) => value.markedBox);
  const isHidden = useApp((value) => value.hidesBoxes);
  if (isHidden || !turn || boxes.length === 0) return null;
  return (
    <div class={`boxes ${markedBox === null ? '' : 'some-marked'}`} aria-hidden="true">
      {boxes.map(({ phrase, places }, index) =>
        places.map((place, part) => (
          <Box
            key={`${index} ${part}`}
            index={index}
            phrase={phrase}
            place={place}
            isMarked={index === markedBox}
            onMark={(marks) => markBox(turn.id, marks ? index : null)}
          />
        )),
      )}
    </div>
  );
}

function Box(props: {
  index: number;
  phrase: string;
  place: Place;
  isMarked: boolean;
  onMark: (marks: boolean) => void;
}) {
  const { index, phrase, place, isMarked, onMark } = props;
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The image may be enlarged.
    if (isMarked) element.current?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [isMarked]);
  const percent = (share: number) => `${share * 100}%`;
  const { x, y, width, height } = place;
  return (
    <div
      ref={element}
      class={`box ${isMarked ? 'marked' : ''} ${y < LABEL_HEIGHT ? 'label-inside' : ''} ${x > 0.6 ? 'label-left' : ''}`}
      data-colour={index % BOX_COLOURS}
      style={{ left: percent(x), top: percent(y), width: percent(width), height: percent(height) }}
    >
      <span
        class="box-label"
        dir="auto"
        onPointerEnter={() => onMark(true)}
        onPointerLeave={() => onMark(false)}
      >
        {`${index + 1} ${phrase}`}
      </span>
    </div>
  );
}

/** Boxes with their places on the visible image; empty if it is not the image of the answer. */
export function useShownBoxes(): BoxesOf[] {
  const turn = useApp(boxedTurn);
  const shownId = useApp(shownImageId);
  return useMemo(() => {
    const conversation = currentConversation(state.value);
    if (!turn || !conversation) return [];
    const imageId = imageIdOf(pathTo(conversation, turn.id));
    return boxesIn(turn.answer.text).flatMap(({ phrase, places }) => {
      const shown = onShownImage(places, imageId, turn.region);
      return shown.length > 0 ? [{ phrase, places: shown }] : [];
    });
  }, [turn?.id, turn?.answer.text, shownId]);
}

function boxedTurn(value: State): Turn | null {
  const conversation = currentConversation(value);
  const path = conversation ? pathOf(conversation) : [];
  return path.find(({ id }) => id === value.boxedTurnId) ?? path.at(-1) ?? null;
}
