import type { Place } from '../../document/place.ts';
import { state, useApp } from '../../state/state.ts';

/** Drawings over the image: the region to ask about, and highlighted places. */
export function Marks({ region }: { region: Place | null }) {
  const marked = useApp((value) => value.marked);
  if (!region && marked.length === 0) return null;
  return (
    <svg class="marks" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      {region && <path class="dimmed" fill-rule="evenodd" d={`M0 0H1V1H0Z${pathOf(region)}`} />}
      {region && <path class="region" d={pathOf(region)} />}
      {marked.map((place, index) => (
        <path key={index} class="mark" d={pathOf(place)} />
      ))}
    </svg>
  );
}

/** Highlights places on the visible image. */
export function mark(places: readonly Place[]): void {
  state.set({ marked: places });
}

/** Highlights the boxes of a phrase in an answer. */
export function markBox(boxedTurnId: string, markedBox: number | null): void {
  state.set({ boxedTurnId, markedBox });
}

/** Shows the boxes of an answer. `markedBox` stays: a pointer that enters the answer at a phrase has already set it. */
export function showBoxesOf(boxedTurnId: string): void {
  state.set({ boxedTurnId });
}

/** Removes all highlights, and shows the boxes of the newest answer again. */
export function unmark(): void {
  state.set({ marked: [], boxedTurnId: null, markedBox: null });
}

function pathOf({ x, y, width, height }: Place): string {
  return `M${x} ${y}h${width}v${height}h${-width}Z`;
}
