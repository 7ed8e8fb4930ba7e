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

/** The bytes that a vocabulary entry stands for. An entry with any other character is taken as ordinary text. */
export function bytesOfToken(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  let length = 0;
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) return utf8.encode(token);
    bytes[length++] = byte;
  }
  return bytes;
}
