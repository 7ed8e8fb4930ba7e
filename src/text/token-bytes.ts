/**
 * GPT-2's byte alphabet: byte-level tokenizers write each of the 256 bytes as one printable character. Printable latin-1
 * bytes stand for themselves; the other 68 take the characters from U+0100 on, in order.
 */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    map.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return map;
})();

const utf8 = new TextEncoder();

/** The bytes that an entry of a byte-level vocabulary stands for. An entry with any other character is ordinary text. */
export function byteLevelBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  let length = 0;
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) return utf8.encode(token);
    bytes[length++] = byte;
  }
  return bytes;
}

/** How SentencePiece writes a space. */
const spaceMark = '\u2581';

/** The name of the entry for one byte. */
export function byteEntry(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/** The bytes that an entry of a SentencePiece vocabulary stands for: one byte by its number, or text. */
export function sentencePieceBytes(token: string): Uint8Array {
  const [, byte] = /^<0x([0-9A-F]{2})>$/.exec(token) ?? [];
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
  return utf8.encode(token.replaceAll(spaceMark, ' '));
}
