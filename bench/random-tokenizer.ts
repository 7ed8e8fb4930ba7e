/** Makes a byte-level BPE tokenizer of any size. Its words grow letter by letter, so that normal text needs few tokens. */

/** The pattern with which the Llama 3 tokenizer splits text before merges. */
const split =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The alphabet of GPT-2: one printable character for each byte. */
function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
}

/**
 * Returns the text of a tokenizer.json with `size` entries. The last 256 are special tokens, like in the published one.
 * @throws RangeError if `size` is below 512.
 */
export function randomTokenizer(size: number): string {
  if (!Number.isInteger(size) || size < 512)
    throw new RangeError(`A vocabulary must have at least 512 entries; got ${size}.`);
  const space = '\u0120';
  const bytes = byteCharacters();
  const letters = 'etaoinshrdlucmfwygpbvkxqjz';
  const isStart = (character: string) => character === space || letters.includes(character);
  const words = [...bytes.filter(isStart), ...bytes.filter((character) => !isStart(character))];
  const merges: [string, string][] = [];
  for (let i = 0; words.length < size - 256; i++) {
    const word = words[i] ?? '';
    for (const letter of letters.slice(0, size - 256 - words.length)) {
      merges.push([word, letter]);
      words.push(word + letter);
    }
  }
  const special = Array.from({ length: 256 }, (_, i) => ({
    id: size - 256 + i,
    content: `<|special_${i}|>`,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  return JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: split }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      ignore_merges: true,
      vocab: Object.fromEntries(words.map((w, i) => [w, i])),
      merges,
    },
  });
}
