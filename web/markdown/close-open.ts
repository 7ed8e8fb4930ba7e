import { masked, openFormulaIn } from './formulas.ts';

/**
 * Completes the end of a text that is still arriving: closes open Markdown, and holds back an incomplete link, box or formula.
 * Pure.
 */
export function closeOpen(text: string): string {
  const fences = text.match(/^ {0,3}(`{3,}|~{3,})/gm) ?? [];
  if (fences.length % 2 === 1) return text;
  const from = text.lastIndexOf('\n\n') + 1;
  return text.slice(0, from) + closeLine(text.slice(from));
}

function closeLine(tail: string): string {
  const code = (tail.match(/`/g) ?? []).length;
  if (code % 2 === 1) return tail.endsWith('`') ? tail.slice(0, -1) : `${tail}\``;
  const whole = tail.slice(0, openFormulaIn(tail));
  const shown = withoutOpenLink(whole.replace(/\[\[[\d,;\s]*\]?$/, ''));
  const strong = (masked(shown).match(/\*\*/g) ?? []).length;
  if (strong % 2 === 0) return shown;
  return /\*\*\s*$/.test(shown) ? shown.replace(/\*\*\s*$/, '') : `${shown.trimEnd()}**`;
}

/** An incomplete link becomes its words. */
function withoutOpenLink(text: string): string {
  const link = /!?\[([^\]\n]*)(?:\]\([^)\n]*|\])?$/.exec(masked(text));
  if (!link) return text;
  const from = text.indexOf('[', link.index) + 1;
  return text.slice(0, link.index) + text.slice(from, from + (link[1]?.length ?? 0));
}
