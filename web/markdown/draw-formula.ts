/**
 * A formula as MathML, which the browser draws and reads out. Nothing in it is trusted: Temml knows no links, images or
 * attributes of the writer's choice here, and DOMPurify lets through only what Temml draws with.
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

/** Of a text that is a formula with its signs. One that cannot be drawn is shown as it is written. */
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
    // In a line it breaks where TeX breaks it.
    wrap: 'tex',
    maxSize: [10, 40],
    // Temml writes a style attribute for this one, which the page's policy forbids.
    macros: { '\\pmb': '\\boldsymbol' },
  });
  DOMPurify.sanitize(element, ALLOWED);
  if (!element.querySelector('math') || isExcessive(element)) throw new Error('not to be drawn');
}

/** Nested so deep that it takes a browser seconds, or with a space that a screen does not have. */
function isExcessive(element: HTMLElement): boolean {
  if (element.querySelector(`:scope${' > *'.repeat(50)}`)) return true;
  return [...element.querySelectorAll<HTMLElement>('[style]')].some(({ style }) =>
    /(?<![.\d])(?:\d{3,}(?:\.\d+)?em|\d{4,}(?:\.\d+)?[a-z])/.test(style.cssText),
  );
}
