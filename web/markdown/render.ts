/**
 * Renders the Markdown of a model as elements. The text is untrusted. Raw HTML and images are shown as text, so that an answer
 * can quote HTML from an image. DOMPurify removes everything else that is not allowed.
 */
import DOMPurify from 'dompurify';
import { Marked, type Token } from 'marked';
import type { Place } from '../document/place.ts';
import { phraseStart } from './boxes.ts';
import { type BoxLabels, drawBoxes } from './draw-boxes.ts';
import { drawFormula } from './draw-formula.ts';
import { escaped } from './escaped.ts';
import { maskedEmphasis, syntax, tokenizer } from './syntax.ts';

const marked = new Marked({
  extensions: syntax,
  hooks: { emStrongMask: maskedEmphasis },
  tokenizer,
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ raw, block }) => {
      if (/^<br\s*\/?>$/i.test(raw.trim())) return '<br>';
      return block ? `<p>${escaped(raw.trim()).replaceAll('\n', '<br>')}</p>` : escaped(raw);
    },
    image: ({ raw }) => escaped(raw),
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
});

const ALLOWED = {
  ALLOWED_TAGS: [
    ...['p', 'br', 'hr', 'strong', 'em', 'del', 'code', 'pre', 'blockquote', 'a', 'ul', 'ol', 'li'],
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'math', 'mark'],
  ],
  ALLOWED_ATTR: ['href', 'title', 'start', 'align'],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  // Otherwise they would have to be URLs, too.
  ADD_URI_SAFE_ATTR: ['start', 'align'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true as const,
};

/** Maximum nesting of quotes, lists and emphasis. A block with deeper nesting is shown as text. */
const mostNested = 24;
/** A line that opens more blocks than this limit. The lexer would need much time and stack. */
const deepLine = new RegExp(`^(?:[ \\t]*(?:>|[-*+]|\\d{1,9}[.)])){${mostNested + 1}}`, 'm');

/** The blocks of a text. Each is drawn separately, so a growing answer redraws only its last blocks. */
export function blocksOf(text: string): Token[] {
  if (deepLine.test(text)) return [plainBlock(text)];
  try {
    const blocks = marked.lexer(text).filter((token) => token.type !== 'space');
    return blocks.map((block) => (isTooDeep(block) ? plainBlock(block.raw) : block));
  } catch {
    return [plainBlock(text)]; // stack overflow, for very deep nesting of inline Markdown
  }
}

export interface Boxes {
  /** The words before the boxes, without Markdown characters; may be ''. */
  phrase: string;
  places: Place[];
}

/** The boxes in a text, in order. Boxes in code and formulas are text. */
export function boxesIn(text: string): Boxes[] {
  if (!text.includes('[[')) return [];
  const found: Boxes[] = [];
  let previousEnd = 0;
  marked.walkTokens(blocksOf(text), (token) => {
    if (token.type !== 'boxes') return;
    const before = text.slice(previousEnd, text.indexOf(token.raw, previousEnd));
    previousEnd += before.length + token.raw.length;
    found.push({
      phrase: before
        .slice(phraseStart(before))
        .replace(/[*_`~]+/g, '')
        .trim(),
      places: token.places,
    });
  });
  return found;
}

/** The number of boxes in a block. */
export function countBoxes(block: Token): number {
  let count = 0;
  marked.walkTokens([block], ({ type }) => {
    if (type === 'boxes') count++;
  });
  return count;
}

/** Plain text, without Markdown. */
function plainBlock(text: string): Token {
  return { type: 'html', raw: text, text, block: true, pre: false };
}

function isTooDeep(block: Token): boolean {
  const open: [Token, number][] = [[block, 0]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [token, depth] = next;
    if (depth > 2 * mostNested) return true;
    for (const child of childrenOf(token)) open.push([child, depth + 1]);
  }
  return false;
}

function childrenOf(token: Token): Token[] {
  if (token.type === 'list') return token.items;
  if (token.type === 'table') return [token.header, ...token.rows].flat().flatMap((cell) => cell.tokens);
  return 'tokens' in token && token.tokens ? token.tokens : [];
}

/**
 * Reuses formulas that were drawn for a shorter version of the same block.
 * @param boxes null: the answer is not about an image, so boxes are text
 */
export function elementsOf(block: Token, before: Element, boxes: BoxLabels | null): DocumentFragment {
  const drawn = [...before.querySelectorAll<HTMLElement>('.formula')];
  const fragment = DOMPurify.sanitize(marked.parser([block]), ALLOWED);
  for (const link of fragment.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
  }
  drawBoxes(fragment, boxes);
  for (const [index, place] of fragment.querySelectorAll('math').entries()) {
    const source = place.textContent ?? '';
    const same = drawn[index]?.dataset.source === source ? drawn[index] : null;
    place.replaceWith(same ?? drawFormula(source));
  }
  return fragment;
}
