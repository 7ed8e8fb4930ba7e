/** What a load refuses about a checkpoint's files, without loading it. */
import { tokenizerMissing } from '../checkpoint/tokenizer-file.ts';
import type { Checkpoint } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';
import { Model } from '../model/cogvlm2.ts';
import { parseConfig } from '../model/config.ts';
import { Tokenizer } from '../text/tokenizer.ts';

/**
 * For commands that work on a checkpoint without asking it anything.
 * @param options.needsTokenizer whether a checkpoint without a tokenizer, which can only be traced, is refused
 * @throws CogVLM2Error `invalid_checkpoint`
 */
export function checkModel(checkpoint: Checkpoint, { needsTokenizer } = { needsTokenizer: true }): void {
  if (needsTokenizer || checkpoint.texts['tokenizer.json'] !== undefined) tokenizerOf(checkpoint);
  Model.check(checkpoint);
}

/** The checkpoint's tokenizer. @throws CogVLM2Error `invalid_checkpoint` also when it does not fit the config */
export function tokenizerOf({ path, texts, tensors }: Checkpoint): Tokenizer {
  const text = texts['tokenizer.json'];
  if (text === undefined) throw tokenizerMissing(path);
  const { vocabSize } = parseConfig(texts['config.json'], path, tensors);
  const tokenizer = new Tokenizer(text, texts['tokenizer_config.json'] ?? {}, vocabSize);
  if (tokenizer.vocabSize > vocabSize) {
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `tokenizer.json of ${path} has ${tokenizer.vocabSize} tokens, but the model's vocabulary is ${vocabSize}.`,
    );
  }
  // Some mistakes in tokenizer.json show only when it is used.
  tokenizer.encode('A question, 12 characters?');
  return tokenizer;
}
