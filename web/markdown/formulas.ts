/**
 * Where formulas stand in a text, as models write them: `$…$` and `\(…\)` in a line, `$$…$$` and `\[…\]` on display.
 * Pure.
 */
export interface Formula {
  /** As it is written, with its signs. */
  raw: string;
  tex: string;
  isDisplay: boolean;
}

/** No blank line is within a formula. The limit keeps a text of openings without a closing from taking long. */
const BODY = String.raw`(?:\\[^]|(?!\n[ \t]*\n)[^\\]){1,4000}?`;
const FORMULA = [
  String.raw`\$\$(?!\$)(?<dollars>${BODY})\$\$`,
  // An escaped link or a reference is none.
  String.raw`\\\[(?!\d+\\\])(?<brackets>${BODY})\\\](?!\()`,
  String.raw`\\\((?<parentheses>${BODY})\\\)`,
  // Nothing of "$5 and $6", nor of "$PATH:$HOME".
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

/** Where the next one in a line may begin, or -1. `\(` and `\[` stop a line's text by themselves. */
export function nextDollar(text: string): number {
  return text.search(/(?<![\w$\\])\$(?!\s)/);
}

/** The text with letters in place of what stands for itself: formulas, code and escaped signs. */
export function masked(text: string): string {
  return text.replace(WHOLE, (whole: string, ...more: unknown[]) => {
    const tex = texOf(more.at(-1) as Groups);
    return tex !== null && isProse(tex) ? whole : 'a'.repeat(whole.length);
  });
}

/** Where a formula of a paragraph begins that is not closed yet; the paragraph's end where there is none. */
export function openFormulaIn(paragraph: string): number {
  for (const { index, 0: sign } of masked(paragraph).matchAll(OPEN)) {
    if (!isProse(paragraph.slice(index + sign.length))) return index;
  }
  return paragraph.length;
}

type Groups = Record<string, string | undefined> | undefined;

const texOf = (groups: Groups): string | null =>
  groups?.dollars ?? groups?.brackets ?? groups?.parentheses ?? groups?.dollar ?? null;

/** Amounts of money, as in "$10 to 20$" and "$5，原价6$" but not "$5 km$", and words that TeX would run together. */
function isProse(tex: string): boolean {
  return (
    /^\d[\d.,]*(?:\s+\(?[a-z]{2,}[\s,.;:!?]|[\s，。；、（]*\p{Script=Han})/iu.test(tex) ||
    (!tex.includes('\\') && /(?:\s[a-z]{2,}){3}/i.test(tex))
  );
}
