/** What models write beyond the Markdown of GitHub: formulas, and strong text without spaces around it. */
import type { TokenizerAndRendererExtension } from 'marked';
import { escaped } from './escaped.ts';
import { formulaAt, nextDollar } from './formulas.ts';

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
    // CommonMark does not see the end of `斜边**“c”**为`, because Chinese has no spaces.
    name: 'strong',
    level: 'inline',
    tokenizer(source) {
      const [raw, text = ''] = /^\*\*(?![\s*])((?:\\.|[^\\*`])+?)(?<!\s)\*\*(?!\*)/.exec(source) ?? [];
      return raw ? { type: 'strong', raw, text, tokens: this.lexer.inlineTokens(text) } : undefined;
    },
  },
  // A place for it; it is drawn when the rest is sanitised.
  { name: 'formula', renderer: ({ text }) => `<math>${escaped(text)}</math>` },
];
