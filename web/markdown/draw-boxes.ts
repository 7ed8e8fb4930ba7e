/** Boxes in an answer as numbered buttons: `<span class="boxed" data-box="2">a dog <button>3</button></span>`. */
import { phraseStart } from './boxes.ts';

export interface BoxLabels {
  /** Index, within the whole answer, of the first boxes in the block. */
  first: number;
  /** The accessible name of a button. */
  label: (number: number, phrase: string) => string;
}

/** The number of colours of boxes (boxes.css). Further boxes repeat them. */
export const BOX_COLOURS = 6;

/** Replaces each `mark` of a block, with the phrase before it. */
export function drawBoxes(fragment: DocumentFragment, labels: BoxLabels | null): void {
  for (const [index, mark] of fragment.querySelectorAll('mark').entries()) {
    const source = mark.textContent ?? '';
    if (labels === null) mark.replaceWith(source);
    else drawBox(mark, source, labels.first + index, labels.label);
  }
}

function drawBox(mark: HTMLElement, source: string, index: number, label: BoxLabels['label']): void {
  const boxed = document.createElement('span');
  boxed.className = 'boxed';
  boxed.dataset.box = String(index);
  boxed.dataset.colour = String(index % BOX_COLOURS);
  boxed.append(...phraseBefore(mark));
  const phrase = boxed.textContent?.trim() ?? '';
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'box-number';
  button.textContent = String(index + 1);
  button.title = source;
  button.setAttribute('aria-label', label(index + 1, phrase));
  boxed.append(button);
  mark.replaceWith(boxed);
}

/** The nodes of the phrase before a mark, from the last punctuation, line break or box on, without leading spaces. */
function phraseBefore(mark: HTMLElement): ChildNode[] {
  const nodes: ChildNode[] = [];
  for (let node = mark.previousSibling; node; node = nodes[0]?.previousSibling ?? null) {
    if (node instanceof HTMLElement && node.matches('br, .boxed')) break;
    const start = node instanceof Text ? phraseStart(node.data) : 0;
    nodes.unshift(node instanceof Text && start > 0 ? node.splitText(start) : node);
    if (start > 0) break;
  }
  const [first] = nodes;
  if (first instanceof Text) nodes[0] = first.splitText(first.data.length - first.data.trimStart().length);
  return nodes;
}
