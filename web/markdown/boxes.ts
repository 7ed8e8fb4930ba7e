/**
 * Boxes that a grounding model writes into its answer: `a dog [[086,540,400,760]]`, several boxes of one phrase separated by
 * semicolons. The numbers are thousandths of the image's width and height, from its top left corner. Pure.
 */
import { type Place, placeBetween } from '../document/place.ts';

const GROUP = /^\[\[([^[\]]+)\]\]/;
const NUMBERS = /^\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*$/;
/** Punctuation between phrases; not a point, comma or colon before a digit, as in 9.50 or 12:30. */
const PUNCTUATION = /[.,:](?!\d)|[;!?\n。，；：！？、]/;

/** The boxes at the start of a text; null if it starts with something else. */
export function boxesAt(text: string): { raw: string; places: Place[] } | null {
  const [raw = '', inside = ''] = GROUP.exec(text) ?? [];
  const places = inside.split(';').flatMap((part) => {
    const numbers = NUMBERS.exec(part)?.slice(1);
    if (!numbers) return [];
    const [left = 0, top = 0, right = 0, bottom = 0] = numbers.map((number) => Number(number) / 1000);
    return [placeBetween({ x: left, y: top }, { x: right, y: bottom })];
  });
  return places.length > 0 ? { raw, places } : null;
}

/** Where the phrase before a box begins: after the last punctuation, or 0. */
export function phraseStart(before: string): number {
  return before.length - (before.split(PUNCTUATION).at(-1) ?? '').length;
}
