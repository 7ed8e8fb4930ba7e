/**
 * Converts a formula to MathML, which the browser draws and reads out. The formula is untrusted: Temml's links, images and free
 * attributes are disabled, and DOMPurify allows only the elements that Temml needs.
 */
import DOMPurify from 'dompurify';
import temml from 'temml';
import { formulaAt } from './formulas.ts';

const ELEMENTS = `
  span math mrow mi mn mo mtext mspace mstyle mpadded mphantom menclose mfrac msqrt mroot msub
  msup msubsup munder mover munderover mmultiscripts mprescripts none mtable mtr mtd
`;
const ATTRIBUTES = `
  accent class columnalign columnlines columnspan depth display displaystyle fence form height
  largeop linethickness lspace mathbackground mathcolor mathsize mathvariant maxsize minsize
  movablelimits notation rowlines rowspacing rspace scriptlevel separator stretchy style symmetric
  voffset width
`;

export const ALLOWED = {
  ALLOWED_TAGS: ELEMENTS.trim().split(/\s+/),
  ALLOWED_ATTR: ATTRIBUTES.trim().split(/\s+/),
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  IN_PLACE: true as const,
};

/** @param text a formula with its delimiters. A formula that cannot be drawn is shown as text. */
export function drawFormula(source: string): HTMLElement {
  const element = document.createElement('span');
  try {
    draw(source, element);
  } catch {
    element.textContent = source;
  }
  element.className = 'formula';
  element.dataset.source = source;
  return element;
}

function draw(source: string, element: HTMLElement): void {
  const formula = formulaAt(source);
  if (!formula) throw new Error('no formula');
  temml.render(formula.tex, element, {
    displayMode: formula.isDisplay,
    throwOnError: true,
    trust: false,
    // An inline formula breaks where TeX breaks it.
    wrap: 'tex',
    maxSize: [10, 40],
    // Temml writes a style attribute for this command, which the page's policy forbids.
    macros: { '\\pmb': '\\boldsymbol' },
  });
  DOMPurify.sanitize(element, ALLOWED);
  if (!element.querySelector('math') || isExcessive(element)) throw new Error('not to be drawn');
}

/** Whether it is nested so deeply that a browser needs seconds, or contains a space that is wider than a screen. */
function isExcessive(element: HTMLElement): boolean {
  if (element.querySelector(`:scope${' > *'.repeat(50)}`)) return true;
  return [...element.querySelectorAll<HTMLElement>('[style]')].some(({ style }) =>
    /(?<![.\d])(?:\d{3,}(?:\.\d+)?em|\d{4,}(?:\.\d+)?[a-z])/.test(style.cssText),
  );
}
