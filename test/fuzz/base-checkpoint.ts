/** A checkpoint of random weights that takes milliseconds to load, with the tokenizer of the demonstration model. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { tinyConfig, writeTinyCheckpoint } from '../model/tiny-checkpoint.ts';

const demo = fileURLToPath(new URL('../../models/demo/', import.meta.url));

export function writeBaseCheckpoint(folder: string): string {
  const { bos_token_id, eos_token_id, pad_token_id, vocab_size } = JSON.parse(
    readFileSync(path.join(demo, 'config.json'), 'utf8'),
  ) as Pick<typeof tinyConfig, 'bos_token_id' | 'eos_token_id' | 'pad_token_id' | 'vocab_size'>;
  return writeTinyCheckpoint(folder, {
    config: { ...tinyConfig, bos_token_id, eos_token_id, pad_token_id, vocab_size },
    texts: {
      'tokenizer.json': readFileSync(path.join(demo, 'tokenizer.json'), 'utf8'),
      'tokenizer_config.json': readFileSync(path.join(demo, 'tokenizer_config.json'), 'utf8'),
    },
  });
}
