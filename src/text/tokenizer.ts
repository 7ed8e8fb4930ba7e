/**
 * The checkpoint's tokenizer (tokenizer.json), as a text-to-ids function and back: byte-level BPE as in Llama 3, or the BPE of
 * SentencePiece with entries for single bytes as in Vicuna. Encoding is done by the package @huggingface/tokenizers; decoding is a
 * table of bytes, so that it can be streamed.
 *
 * A deliberate difference from the published code: a special token's name in a text is plain text. There, a question
 * that holds the characters `<|end_of_text|>` becomes the special token and can end or forge a turn.
 */
import { Tokenizer as BpeTokenizer } from '@huggingface/tokenizers';
import { CogVLM2Error } from '../errors.ts';
import { cleanSpaces } from './clean-spaces.ts';
import { LONG_TEXT, LongTexts } from './long-texts.ts';

export interface DecodeOptions {
  /** Show the names of special tokens. Default: they are omitted. */
  readonly keepSpecial?: boolean;
  /** Apply the reference's clean-up of spaces. Default: the value of tokenizer_config.json. */
  readonly cleanSpaces?: boolean;
}

const NO_BYTES = new Uint8Array(0);
/** Long texts whose ids are kept. */
const mostKept = 8;

export class Tokenizer {
  /** Highest id + 1. The model's logits may be longer: its rows are padded. */
  readonly vocabSize: number;
  /**
   * tokenizer_config.json's `clean_up_tokenization_spaces`. Its default is that of the reference: true for byte-level
   * tokenizers, false for those of SentencePiece.
   */
  readonly cleansSpaces: boolean;
  /** SentencePiece only: encoding adds a space in front of a text, and decoding removes it. */
  readonly #isSentencePiece: boolean;
  readonly #encoder: BpeTokenizer;
  readonly #ids = new Map<string, number>();
  readonly #tokens: string[] = [];
  readonly #special = new Set<number>();
  readonly #bytes: (Uint8Array | undefined)[] = [];
  readonly #long: LongTexts;
  /** The ids of long texts that were encoded ahead. The oldest ones are dropped. */
  readonly #kept = new Map<string, number[]>();

  /**
   * @param tokenizer the text of tokenizer.json, or its parsed JSON
   * @param config the text or JSON of tokenizer_config.json, if there is one
   * @param modelVocabSize entries of the model's vocabulary. Copies of Vicuna's tokenizer in the repositories of other models have
   * added tokens beyond it, which are left out.
   * @throws CogVLM2Error invalid_checkpoint
   */
  constructor(tokenizer: unknown, config: unknown = {}, modelVocabSize = MAX_ID) {
    this.#long = new LongTexts({ tokenizer, config, modelVocabSize });
    const json = checkedTokenizer(parsed(tokenizer, 'tokenizer.json'));
    const settings = parsed(config, 'tokenizer_config.json');
    this.#isSentencePiece = json.model.byte_fallback === true;
    const cleans = settings.clean_up_tokenization_spaces;
    this.cleansSpaces = this.#isSentencePiece ? cleans === true : cleans !== false;
    const added = this.#isSentencePiece
      ? json.added_tokens.filter(({ id }) => id < modelVocabSize)
      : json.added_tokens;
    for (const [token, id] of Object.entries(json.model.vocab)) this.#add(token, id);
    for (const { content, id, special } of added) {
      this.#add(content, id);
      if (special) this.#special.add(id);
    }
    this.vocabSize = this.#tokens.length;
    this.#encoder = encoderOf({
      ...json,
      model: withoutSpecial(
        json.model,
        new Set(added.flatMap(({ special, content }) => (special ? [content] : []))),
      ),
      added_tokens: added.filter((token) => !token.special),
    });
  }

  /** The ids of `text`. No special tokens are added, and the text cannot contain one. */
  encode(text: string): number[] {
    if (text === '') return [];
    const kept = this.#kept.get(text);
    if (kept !== undefined) return [...kept];
    try {
      return this.#encoder.encode(text, { add_special_tokens: false }).ids;
    } catch (error) {
      throw unusable(error);
    }
  }

  /**
   * Encodes a long text in a thread, so that `encode` of it soon afterwards does not block the event loop. Does nothing for
   * a short one. @throws CogVLM2Error invalid_checkpoint, engine_unavailable
   */
  async encodeAhead(text: string): Promise<void> {
    if (text.length < LONG_TEXT || this.#kept.has(text)) return;
    const ids = await this.#long.encode(text);
    this.#kept.set(text, ids);
    if (this.#kept.size > mostKept) this.#kept.delete(this.#kept.keys().next().value ?? '');
  }

  /**
   * The text of `ids`. Ids without a token are skipped; bytes that are not UTF-8 become U+FFFD, as in the reference. For
   * SentencePiece, one space at the beginning is left out.
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    let text = '';
    for (const id of ids) {
      if (options.keepSpecial || !this.isSpecial(id))
        text += decoder.decode(this.bytesOf(id), { stream: true });
    }
    text += decoder.decode();
    if (this.#isSentencePiece && text.startsWith(' ')) text = text.slice(1);
    return (options.cleanSpaces ?? this.cleansSpaces) ? cleanSpaces(text) : text;
  }

  /** The bytes of one id, often not whole characters. Empty for an id without a token. */
  bytesOf(id: number): Uint8Array {
    const token = this.#tokens[id];
    if (token === undefined) return NO_BYTES;
    this.#bytes[id] ??= this.#isSentencePiece ? sentencePieceBytes(token) : byteLevelBytes(token);
    return this.#bytes[id];
  }

  /** The id of a vocabulary entry by its name, as tokenizer.json writes it (`<|eot_id|>`, `Ġthe`). */
  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  isSpecial(id: number): boolean {
    return this.#special.has(id);
  }

  #add(token: string, id: number): void {
    this.#ids.set(token, id);
    this.#tokens[id] = token;
  }
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

interface BpeModel {
  readonly vocab: Record<string, number>;
  /** "a b" or ["a", "b"] */
  readonly merges: readonly unknown[];
  readonly byte_fallback?: unknown;
  readonly unk_token?: unknown;
  readonly [key: string]: unknown;
}

interface TokenizerJson {
  readonly model: BpeModel;
  readonly added_tokens: readonly AddedToken[];
  readonly [key: string]: unknown;
}

/**
 * The model without special tokens, so that no text can become one: not by merges, and not as a whole word with `ignore_merges`. The
 * entry for unknown characters stays, because the package looks it up.
 */
function withoutSpecial(model: BpeModel, special: ReadonlySet<string>): BpeModel {
  const inVocab = [...special].filter((name) => name in model.vocab);
  if (inVocab.length === 0) return model;
  const vocab = { ...model.vocab };
  for (const name of inVocab) if (name !== model.unk_token) delete vocab[name];
  const merges = model.merges.filter((merge) => {
    const joined = Array.isArray(merge) ? merge.join('') : String(merge).replace(' ', '');
    return !special.has(joined);
  });
  return { ...model, vocab, merges };
}

function encoderOf(json: TokenizerJson): BpeTokenizer {
  try {
    // No special tokens are added, so no post-processor is needed.
    return new BpeTokenizer({ normalizer: null, pre_tokenizer: null, ...json, post_processor: null }, {});
  } catch (error) {
    throw unusable(error);
  }
}

/** The package reads parts of the file only when it encodes, and throws any error there. */
function unusable(error: unknown): CogVLM2Error {
  return invalid(`tokenizer.json cannot be used: ${(error as Error).message}`, error);
}

function parsed(source: unknown, file: string): Record<string, unknown> {
  let value = source;
  if (typeof source === 'string') {
    try {
      value = JSON.parse(source);
    } catch (error) {
      throw invalid(`${file} (${source.length} characters) is not JSON: ${(error as Error).message}`, error);
    }
  }
  if (isRecord(value)) return value;
  throw invalid(`${file} holds no JSON object.`);
}

function checkedTokenizer(json: Record<string, unknown>): TokenizerJson {
  const { model, decoder, added_tokens = [] } = json;
  if (!isRecord(model) || model.type !== 'BPE' || !isRecord(model.vocab) || !Array.isArray(model.merges)) {
    throw invalid('tokenizer.json has no "model" of type "BPE" with "vocab" and "merges".');
  }
  const { vocab } = model;
  if (model.byte_fallback === true) {
    const lacking = Array.from({ length: 256 }, (_, byte) => byteEntry(byte)).find(
      (name) => !(name in vocab),
    );
    if (lacking !== undefined) throw invalid(`tokenizer.json has "byte_fallback", but no entry ${lacking}.`);
    if (!decodesSpaceMarks(decoder))
      throw invalid(
        'tokenizer.json has "byte_fallback", but no "decoder" of the types "Replace" or "Metaspace".',
      );
  } else if (!isByteLevel(decoder)) {
    throw invalid('tokenizer.json has no "decoder" of type "ByteLevel".');
  }
  for (const [token, id] of Object.entries(model.vocab)) checkId(token, id);
  if (!Array.isArray(added_tokens)) throw invalid('"added_tokens" in tokenizer.json is no list.');
  for (const token of added_tokens) {
    if (!isRecord(token) || typeof token.content !== 'string' || token.content === '') {
      throw invalid(`"added_tokens" in tokenizer.json holds ${JSON.stringify(token)}.`);
    }
    checkId(token.content, token.id);
  }
  return { ...json, added_tokens } as unknown as TokenizerJson;
}

/** Ids index tables: a damaged one of 1e9 must not allocate them. */
const MAX_ID = 2 ** 22;

function checkId(token: string, id: unknown): void {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < MAX_ID) return;
  throw invalid(
    `The token ${JSON.stringify(token)} has the id ${id}; ids are whole numbers from 0 to ${MAX_ID - 1}.`,
  );
}

function isByteLevel(decoder: unknown): boolean {
  if (!isRecord(decoder)) return false;
  if (decoder.type === 'ByteLevel') return true;
  const { decoders } = decoder;
  return Array.isArray(decoders) && decoders.length === 1 && isByteLevel(decoders[0]);
}

/** SentencePiece's decoder: "Metaspace", or a sequence that replaces the mark of a space. */
function decodesSpaceMarks(decoder: unknown): boolean {
  if (!isRecord(decoder)) return false;
  if (decoder.type === 'Metaspace') return true;
  if (decoder.type === 'Replace') return decoder.content === ' ';
  return Array.isArray(decoder.decoders) && decoder.decoders.some(decodesSpaceMarks);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(message: string, cause?: unknown): CogVLM2Error {
  return new CogVLM2Error('invalid_checkpoint', message, cause === undefined ? {} : { cause });
}

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

/** The bytes of an entry of a byte-level vocabulary. An entry with any other character is normal text. */
function byteLevelBytes(token: string): Uint8Array {
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
function byteEntry(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/** The bytes of an entry of a SentencePiece vocabulary: one byte by its number, or text. */
function sentencePieceBytes(token: string): Uint8Array {
  const [, byte] = /^<0x([0-9A-F]{2})>$/.exec(token) ?? [];
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
  return utf8.encode(token.replaceAll(spaceMark, ' '));
}
