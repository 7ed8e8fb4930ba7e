/**
 * Markdown of a model, which is not to be trusted, as elements. Raw HTML and pictures are shown as the text that they
 * are: an answer that reads HTML off a picture should show it. DOMPurify stands behind that.
 */
import DOMPurify from 'dompurify';
import { Marked, type Token } from 'marked';
import { drawFormula } from './draw-formula.ts';
import { escaped } from './escaped.ts';
import { masked } from './formulas.ts';
import { syntax } from './syntax.ts';

const marked = new Marked({
  extensions: syntax,
  hooks: { emStrongMask: masked },
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
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'math'],
  ],
  ALLOWED_ATTR: ['href', 'title', 'start', 'align'],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  // Else they would have to be addresses too.
  ADD_URI_SAFE_ATTR: ['start', 'align'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true as const,
};

/** The blocks of a text. Each can be drawn by itself, so that a growing answer redraws only its last ones. */
export function blocksOf(text: string): Token[] {
  return marked.lexer(text).filter((token) => token.type !== 'space');
}

/** Formulas that were drawn in a shorter form of the same block are taken from there. */
export function elementsOf(block: Token, before: Element): DocumentFragment {
  const drawn = [...before.querySelectorAll<HTMLElement>('.formula')];
  const fragment = DOMPurify.sanitize(marked.parser([block]), ALLOWED);
  for (const link of fragment.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
  }
  for (const [index, place] of fragment.querySelectorAll('math').entries()) {
    const source = place.textContent ?? '';
    const same = drawn[index]?.dataset.source === source ? drawn[index] : null;
    place.replaceWith(same ?? drawFormula(source));
  }
  return fragment;
}
