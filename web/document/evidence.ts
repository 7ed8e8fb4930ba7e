/** The places in the image where an answer was read, as reported by the server. Pure. */
import { isRecord, listAt, numberAt } from '../api/json.ts';
import { isPlace, type Place } from './place.ts';

export interface Evidence {
  /** For the whole answer, the likeliest first. */
  cells: ScoredPlace[];
  tokens: { start: number; end: number; cells: ScoredPlace[] }[];
}

interface ScoredPlace extends Place {
  /** Share of the attention, 0 to 1. */
  score: number;
}

/** Maximum number of places to mark for a part of an answer. */
const MOST_PLACES = 4;
/** Places with less than this share of the highest score are noise. */
const LEAST_SHARE = 0.35;

/** Null if the value is not evidence. */
export function evidenceOf(value: unknown): Evidence | null {
  if (!isRecord(value) || !Array.isArray(value.cells)) return null;
  const tokens = listAt(value, 'tokens').filter(isRecord);
  return {
    cells: placesIn(value.cells),
    tokens: tokens.map((token) => ({
      start: numberAt(token, 'start') ?? 0,
      end: numberAt(token, 'end') ?? 0,
      cells: placesIn(listAt(token, 'cells')),
    })),
  };
}

/** The places where characters [start, end) of the answer were read. */
export function placesOf({ tokens }: Evidence, start: number, end: number): Place[] {
  const sums = new Map<string, ScoredPlace>();
  for (const token of tokens) {
    if (token.end <= start || token.start >= end) continue;
    for (const cell of token.cells) {
      const key = `${cell.x} ${cell.y}`;
      sums.set(key, { ...cell, score: cell.score + (sums.get(key)?.score ?? 0) });
    }
  }
  const sorted = [...sums.values()].sort((a, b) => b.score - a.score);
  const least = (sorted[0]?.score ?? 0) * LEAST_SHARE;
  return sorted.filter(({ score }) => score >= least).slice(0, MOST_PLACES);
}

/** The position of a top-level key's value in the text of a JSON object; null without the key. */
export function valueSpan(json: string, name: string): { start: number; end: number } | null {
  // A string, a bracket, a comma, a colon, or any other value.
  const parts = json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g);
  let depth = 0;
  let key: string | null = null;
  let isValue = false;
  let start: number | null = null;
  let end = 0;
  for (const { 0: part, index } of parts) {
    const isEnd = depth === 1 && (part === ',' || part === '}');
    if (isEnd && start !== null) return { start, end };
    if (part === '}' || part === ']') depth--;
    if (isEnd) isValue = false;
    else if (depth === 1 && part === ':' && !isValue) isValue = true;
    else if (depth === 1 && !isValue && part.startsWith('"')) key = textOf(part);
    else if (isValue && key === name) start ??= index;
    if (part === '{' || part === '[') depth++;
    end = index + part.length;
  }
  return null;
}

function placesIn(list: readonly unknown[]): ScoredPlace[] {
  return list.flatMap((cell) =>
    isPlace(cell) ? [{ ...cell, score: isRecord(cell) ? (numberAt(cell, 'score') ?? 0) : 0 }] : [],
  );
}

function textOf(literal: string): string | null {
  try {
    return String(JSON.parse(literal));
  } catch {
    return null;
  }
}
