/**
 * Boxes in the text of a grounding model: `a dog [[086,540,400,760]]`, several boxes of one phrase separated by semicolons. The
 * numbers are thousandths of the image's width and height, from its top left corner.
 */

export interface AnswerBox {
  /** The words before the box, since the last box or punctuation mark; '' if there are none. */
  phrase: string;
  /** Left, top, right and bottom, as fractions of the image's width and height. */
  box: [left: number, top: number, right: number, bottom: number];
}

/** Excludes `[`, so that text with many of them is read in one pass. */
const boxes = /\[\[([^[\]]+)\]\]/g;

/** The boxes of an answer, in the order of its text. A box that is not four whole numbers is ordinary text. */
export function boxesIn(text: string): AnswerBox[] {
  const found: AnswerBox[] = [];
  let previousEnd = 0;
  for (const match of text.matchAll(boxes)) {
    const phrase = phraseBefore(text.slice(previousEnd, match.index));
    previousEnd = match.index + match[0].length;
    for (const part of (match[1] ?? '').split(';')) {
      const numbers = /^\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*$/.exec(part)?.slice(1);
      if (!numbers) continue;
      const [left = 0, top = 0, right = 0, bottom = 0] = numbers.map((number) => Number(number) / 1000);
      found.push({ phrase, box: [left, top, right, bottom] });
    }
  }
  return found;
}

function phraseBefore(text: string): string {
  // Not the punctuation within a number, as in 9.50 or 12:30.
  const words = text.split(/[.,:](?!\d)|[;!?\n。，；：！？、]/).at(-1) ?? '';
  return words.trim();
}

/** In pixels, as the published code rounds: towards zero. */
export function pixelsOf({ box }: AnswerBox, width: number, height: number): AnswerBox['box'] {
  const [left, top, right, bottom] = box;
  return [
    Math.trunc(left * width),
    Math.trunc(top * height),
    Math.trunc(right * width),
    Math.trunc(bottom * height),
  ];
}
