/**
 * A checkpoint with random weights that loads in milliseconds. It has the tokenizer of the demo model, by default with the bytes and
 * the first merges only, because the whole vocabulary would need most of the time of a mutation.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { tinyConfig, writeTinyCheckpoint } from '../model/tiny-checkpoint.ts';

const demo = fileURLToPath(new URL('../../models/demo/', import.meta.url));
const read = (name: string) => readFileSync(path.join(demo, name), 'utf8');

interface TokenizerJson {
  model: { vocab: Record<string, number>; merges: unknown[] };
  added_tokens: { id: number }[];
}

type Ids = Pick<typeof tinyConfig, 'bos_token_id' | 'eos_token_id' | 'pad_token_id' | 'vocab_size'>;

/** Number of tokens that are kept, without the special tokens. */
const SMALL_VOCABULARY = 400;

/** @param wholeVocabulary for mutations of the tokenizer itself */
export function writeBaseCheckpoint(folder: string, wholeVocabulary = false): string {
  const tokenizer = JSON.parse(read('tokenizer.json')) as TokenizerJson;
  const ids = JSON.parse(read('config.json')) as Ids;
  const removed = wholeVocabulary ? 0 : Object.keys(tokenizer.model.vocab).length - SMALL_VOCABULARY;
  return writeTinyCheckpoint(folder, {
    config: {
      ...tinyConfig,
      bos_token_id: ids.bos_token_id - removed,
      eos_token_id: ids.eos_token_id.map((id) => id - removed),
      pad_token_id: ids.pad_token_id - removed,
      vocab_size: ids.vocab_size - removed,
    },
    texts: {
      'tokenizer.json': JSON.stringify(removed === 0 ? tokenizer : withoutLast(removed, tokenizer)),
      'tokenizer_config.json': read('tokenizer_config.json'),
    },
  });
}

/** The added tokens follow the vocabulary. */
function withoutLast(removed: number, { model, added_tokens, ...rest }: TokenizerJson): TokenizerJson {
  const vocab = Object.fromEntries(Object.entries(model.vocab).filter(([, id]) => id < SMALL_VOCABULARY));
  // A merge is "a b" or ["a", "b"].
  const merges = model.merges.filter((merge) => {
    const parts = typeof merge === 'string' ? merge.split(' ') : (merge as string[]);
    return [...parts, parts.join('')].every((token) => token in vocab);
  });
  const added = added_tokens.map((token) => ({ ...token, id: token.id - removed }));
  return { ...rest, model: { ...model, vocab, merges }, added_tokens: added };
}
