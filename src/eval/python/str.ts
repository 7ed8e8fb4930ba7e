/** `str(value)` and `repr(value)` of what a cell, a JSON file or a list literal can hold. */
import { floatRepr, PythonFloat } from './float.ts';

export type PythonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | PythonFloat
  | PythonTuple
  | readonly PythonValue[];

export class PythonTuple {
  readonly items: readonly PythonValue[];

  constructor(items: readonly PythonValue[]) {
    this.items = items;
  }
}

export function str(value: PythonValue): string {
  return typeof value === 'string' ? value : repr(value);
}

export function repr(value: PythonValue): string {
  if (typeof value === 'string') return quoted(value);
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isInteger(value) ? String(BigInt(value)) : floatRepr(value);
  if (value instanceof PythonFloat) return floatRepr(value.value);
  if (value instanceof PythonTuple) {
    const items = value.items.map(repr).join(', ');
    return value.items.length === 1 ? `(${items},)` : `(${items})`;
  }
  return `[${value.map(repr).join(', ')}]`;
}

const short: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Single quotes, unless the text has those and no double ones. Characters without a glyph are escaped. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(/[\\'"]|[\p{C}\p{Z}]/gu, (character) => {
    if (character === ' ') return character;
    if (character === "'" || character === '"') return character === quote ? `\\${character}` : character;
    return short[character] ?? escaped(character.codePointAt(0)!);
  });
  return `${quote}${body}${quote}`;
}

function escaped(codePoint: number): string {
  const hex = codePoint.toString(16);
  if (codePoint < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return codePoint < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
