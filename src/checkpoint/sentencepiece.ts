/**
 * Converts tokenizer.model, SentencePiece's file (protobuf `sentencepiece.ModelProto`), to the text of a tokenizer.json that gives
 * the same ids. Supports BPE with entries for single bytes, as in LLaMA and Vicuna.
 */
import { CogVLM2Error } from '../errors.ts';

/** How SentencePiece writes a space. */
const spaceMark = '\u2581';
/** Types of entries in `ModelProto.SentencePiece`. */
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, byte: 6 };
/** `TrainerSpec.ModelType` */
const bpe = 2;

interface Piece {
  text: string;
  score: number;
  kind: number;
}

/** @throws CogVLM2Error `invalid_checkpoint` for a damaged file, or a model that is not of this kind */
export function tokenizerJsonOf(bytes: Uint8Array, file: string): string {
  const fail = (why: string) => new CogVLM2Error('invalid_checkpoint', `${file} ${why}.`);
  const pieces: Piece[] = [];
  let modelType = 1;
  let addsSpace = true;
  let removesSpaces = true;
  try {
    for (const { field, value } of fieldsOf(bytes)) {
      if (field === 1 && value instanceof Uint8Array) pieces.push(pieceOf(value));
      if (field === 2 && value instanceof Uint8Array) modelType = numberIn(value, 3) ?? modelType;
      if (field === 3 && value instanceof Uint8Array) {
        addsSpace = numberIn(value, 3) !== 0;
        removesSpaces = numberIn(value, 4) !== 0;
      }
    }
  } catch (cause) {
    throw new CogVLM2Error('invalid_checkpoint', `${file} is damaged: it is not a SentencePiece tokenizer.`, {
      cause,
    });
  }
  if (pieces.length === 0) throw fail('is not a SentencePiece tokenizer');
  if (modelType !== bpe || !pieces.some(({ kind }) => kind === kinds.byte))
    throw fail('is not a BPE tokenizer with entries for single bytes, like those of LLaMA and Vicuna');
  if (!addsSpace || removesSpaces)
    throw fail('adds no space to a text, or removes some; the tokenizers of LLaMA and Vicuna do neither');
  return JSON.stringify(asTokenizerJson(pieces));
}

function asTokenizerJson(pieces: readonly Piece[]): object {
  const idsOf = (...wanted: number[]) =>
    pieces.flatMap(({ text, kind }, id) => (wanted.includes(kind) ? [{ id, content: text }] : []));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return {
    version: '1.0',
    added_tokens: [
      ...idsOf(kinds.unknown, kinds.control).map((token) => ({ ...token, ...flags, special: true })),
      ...idsOf(kinds.userDefined).map((token) => ({ ...token, ...flags, special: false })),
    ],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: spaceMark },
        { type: 'Replace', pattern: { String: ' ' }, content: spaceMark },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: spaceMark }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: pieces.find(({ kind }) => kind === kinds.unknown)?.text ?? null,
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(pieces.map(({ text }, id) => [text, id])),
      merges: mergesOf(pieces),
    },
  };
}

/**
 * SentencePiece joins the two neighbours whose joined text has the best score, and of equal scores the leftmost ones. So a merge
 * is any split of an entry into two entries, and its rank is that of the entry's score.
 */
function mergesOf(pieces: readonly Piece[]): [string, string][] {
  const joinable = pieces.filter(({ kind }) => kind === kinds.normal);
  const known = new Set(joinable.map(({ text }) => text));
  const merges = joinable.flatMap(({ text, score }) => {
    const characters = Array.from(text);
    return characters.slice(1).flatMap((_, i) => {
      const left = characters.slice(0, i + 1).join('');
      const right = text.slice(left.length);
      return known.has(left) && known.has(right) ? [{ left, right, score }] : [];
    });
  });
  // Runs of spaces all have the same score; the longest run is extended first.
  merges.sort((a, b) => b.score - a.score || b.left.length - a.left.length);
  return merges.map(({ left, right }) => [left, right]);
}

function pieceOf(bytes: Uint8Array): Piece {
  const piece: Piece = { text: '', score: 0, kind: kinds.normal };
  for (const { field, value } of fieldsOf(bytes)) {
    if (field === 1 && value instanceof Uint8Array) piece.text = new TextDecoder().decode(value);
    if (field === 2 && value instanceof Uint8Array)
      piece.score = new DataView(value.buffer, value.byteOffset).getFloat32(0, true);
    if (field === 3 && typeof value === 'number') piece.kind = value;
  }
  return piece;
}

/** An integer field of a message. */
function numberIn(message: Uint8Array, wanted: number): number | undefined {
  for (const { field, value } of fieldsOf(message))
    if (field === wanted && typeof value === 'number') return value;
  return undefined;
}

/** The fields of a protobuf message: varints as numbers, all others as bytes. */
function* fieldsOf(bytes: Uint8Array): Generator<{ field: number; value: number | Uint8Array }> {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63) throw new RangeError('The message ends within a number.');
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const take = (length: number) => {
    if (at + length > bytes.length) throw new RangeError('The message ends within a field.');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = varint();
    const wireType = key % 8;
    const field = Math.floor(key / 8);
    if (wireType === 0) yield { field, value: varint() };
    else if (wireType === 1) yield { field, value: take(8) };
    else if (wireType === 2) yield { field, value: take(varint()) };
    else if (wireType === 5) yield { field, value: take(4) };
    else throw new RangeError(`A field has the wire type ${wireType}.`);
  }
}
