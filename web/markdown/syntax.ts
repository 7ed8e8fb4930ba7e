/**
 * The differences between the page's Markdown and GitHub's: formulas, boxes on the image, emphasis without spaces around it as in
 * Chinese, and texts that must not change: `3~5`, `10*20*30`, and full-width punctuation after an address.
 */
import { Tokenizer, type TokenizerAndRendererExtension, type TokenizerObject } from 'marked';
import { boxesAt } from './boxes.ts';
import { escaped } from './escaped.ts';
import { formulaAt, masked, nextDollar } from './formulas.ts';

/** A multiplication sign: `2*3`, `a*b`, `2**10`. */
const product = /[A-Za-z0-9](?:\*|(?<=\d)\*\*(?=\d))(?=[A-Za-z0-9])/;

/** Like `masked`; in addition, a multiplication sign does not end emphasis. */
export function maskedEmphasis(text: string): string {
  return masked(text).replace(new RegExp(product, 'g'), (sign) => 'a'.repeat(sign.length));
}

/** Characters that end an address in a text without spaces. */
const fullWidth =
  /[\u2018-\u201f\u2026\u3001-\u3003\u3008-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]/;

export const tokenizer: TokenizerObject = {
  /** Two tildes mark deleted text; one tilde is a range, as in 3~5. */
  del(source) {
    const [raw, text = ''] = /^~~(?=[^\s~])([\s\S]*?[^\s~])~~(?!~)/.exec(source) ?? [];
    return raw ? { type: 'del', raw, text, tokens: this.lexer.inlineTokens(text) } : undefined;
  },
  url(source) {
    const end = source.search(fullWidth);
    return Tokenizer.prototype.url.call(this, end < 0 ? source : source.slice(0, end));
  },
};

export const syntax: TokenizerAndRendererExtension[] = [
  {
    name: 'formula',
    level: 'block',
    start: (source) => source.search(/(?<=\n {0,3})(?:\$\$|\\\[)/),
    tokenizer(source) {
      const [indent = ''] = /^ {0,3}/.exec(source) ?? [];
      const formula = formulaAt(source.slice(indent.length));
      if (!formula?.isDisplay) return undefined;
      return { type: 'formula', raw: indent + formula.raw, text: formula.raw };
    },
  },
  {
    name: 'formula',
    level: 'inline',
    start: nextDollar,
    tokenizer(source) {
      const formula = formulaAt(source);
      return formula ? { type: 'formula', raw: formula.raw, text: formula.raw } : undefined;
    },
  },
  {
    // CommonMark does not recognize the end of `斜边**“c”**为`, because Chinese has no spaces.
    name: 'strong',
    level: 'inline',
    tokenizer(source) {
      const [raw, text = ''] = /^\*\*(?![\s*])((?:\\.|[^\\*`])+?)(?<!\s)\*\*(?!\*)/.exec(source) ?? [];
      return raw ? { type: 'strong', raw, text, tokens: this.lexer.inlineTokens(text) } : undefined;
    },
  },
  {
    // It does not recognize the end of `*“c”*为` either.
    name: 'em',
    level: 'inline',
    tokenizer(source) {
      const [raw, text = ''] =
        /^\*(?![\s*\d])((?:\\.|[^\\*`\n])+?)(?<!\s)\*(?=\p{Script=Han})/u.exec(source) ?? [];
      if (!raw || !/^\p{P}|\p{P}$/u.test(text)) return undefined;
      return { type: 'em', raw, text, tokens: this.lexer.inlineTokens(text) };
    },
  },
  {
    name: 'literal',
    level: 'inline',
    start: (source) => source.search(product),
    tokenizer(source) {
      const [raw] = new RegExp(`^${product.source}`).exec(source) ?? [];
      return raw ? { type: 'text', raw, text: raw } : undefined;
    },
  },
  {
    name: 'boxes',
    level: 'inline',
    start: (source) => source.indexOf('[['),
    tokenizer(source) {
      const boxes = boxesAt(source);
      return boxes ? { type: 'boxes', ...boxes } : undefined;
    },
    renderer: ({ raw }) => `<mark>${escaped(raw)}</mark>`,
  },
  // A placeholder. The formula is drawn after the other elements were sanitized.
  { name: 'formula', renderer: ({ text }) => `<math>${escaped(text)}</math>` },
];
