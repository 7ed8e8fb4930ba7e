/**
 * Finds formulas in a text: inline as `$…$` and `\(…\)`, on display as `$$…$$` and `\[…\]`. Pure.
 */
export interface Formula {
  /** The source text, with its delimiters. */
  raw: string;
  tex: string;
  isDisplay: boolean;
}

/** A formula has no blank line. The limit bounds the time for a text with many opening delimiters and no closing one. */
const BODY = String.raw`(?:\\[^]|(?!\n[ \t]*\n)[^\\]){1,4000}?`;
const FORMULA = [
  String.raw`\$\$(?!\$)(?<dollars>${BODY})\$\$`,
  // An escaped link or a reference is not a formula.
  String.raw`\\\[(?!\d+\\\])(?<brackets>${BODY})\\\](?!\()`,
  String.raw`\\\((?<parentheses>${BODY})\\\)`,
  // Neither "$5 and $6" nor "$PATH:$HOME" is a formula.
  String.raw`\$(?<dollar>(?![\s$])(?:\\.|[^\\$\n${'`'}]){1,4000}?(?<!\s))\$(?![\dA-Z])`,
].join('|');
const CODE_SPAN = '(?<!`)(`+)(?!`)[^]*?(?<!`)\\1(?!`)';
const ESCAPE = String.raw`\\[^([]`;

const AT_START = new RegExp(`^(?:${FORMULA})`);
const WHOLE = new RegExp([CODE_SPAN, FORMULA, ESCAPE].join('|'), 'g');
const OPEN = /\\(?:[([]|$)|\$\$|(?<![\w$])\$(?=$|[^\s$][^\n$`]*$)/g;

export function formulaAt(text: string): Formula | null {
  const match = AT_START.exec(text);
  const tex = texOf(match?.groups);
  if (!match || tex === null || isProse(tex)) return null;
  const { dollars, brackets } = match.groups ?? {};
  return { raw: match[0], tex: tex.trim(), isDisplay: (dollars ?? brackets) !== undefined };
}

/** The next position where an inline formula can begin, or -1. The lexer finds `\(` and `\[` without this. */
export function nextDollar(text: string): number {
  return text.search(/(?<![\w$\\])\$(?!\s)/);
}

/** The text with its formulas, code and escaped characters replaced by letters. */
export function masked(text: string): string {
  return text.replace(WHOLE, (whole: string, ...more: unknown[]) => {
    const tex = texOf(more.at(-1) as Groups);
    return tex !== null && isProse(tex) ? whole : 'a'.repeat(whole.length);
  });
}

/** The start of an unclosed formula in a paragraph; without one, the end of the paragraph. */
export function openFormulaIn(paragraph: string): number {
  for (const { index, 0: sign } of masked(paragraph).matchAll(OPEN)) {
    if (!isProse(paragraph.slice(index + sign.length))) return index;
  }
  return paragraph.length;
}

type Groups = Record<string, string | undefined> | undefined;

const texOf = (groups: Groups): string | null =>
  groups?.dollars ?? groups?.brackets ?? groups?.parentheses ?? groups?.dollar ?? null;

/** Matches amounts of money, as in "$10 to 20$" and "$5，原价6$" but not "$5 km$", and words that TeX would run together. */
function isProse(tex: string): boolean {
  return (
    /^\d[\d.,]*(?:\s+\(?[a-z]{2,}[\s,.;:!?]|[\s，。；、（]*\p{Script=Han})/iu.test(tex) ||
    (!tex.includes('\\') && /(?:\s[a-z]{2,}){3}/i.test(tex))
  );
}
