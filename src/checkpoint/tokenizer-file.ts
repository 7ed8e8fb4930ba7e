import { closeSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { cachedVicuna, hasVicunaVocabulary } from '../hub/needed-files.ts';
import { openWeights, readCheckpointText } from './read-file.ts';
import { tokenizerJsonOf } from './sentencepiece.ts';

/**
 * The tokenizer.json of a checkpoint's folder: the file itself, or the conversion of tokenizer.model. For a CogVLM 1 without
 * either, the one of Vicuna in Hugging Face's cache. Undefined if there is none.
 * @throws CogVLM2Error `invalid_checkpoint`, `file_not_found`
 */
export function readTokenizerJson(folder: string): string | undefined {
  const own = tokenizerIn(folder);
  if (own !== undefined || !hasVicunaVocabulary(folder)) return own;
  const vicuna = cachedVicuna(process.env);
  return vicuna === undefined ? undefined : tokenizerIn(vicuna);
}

function tokenizerIn(folder: string): string | undefined {
  const json = path.join(folder, 'tokenizer.json');
  if (existsSync(json)) return readCheckpointText(json);
  const model = path.join(folder, 'tokenizer.model');
  if (!existsSync(model)) return undefined;
  const descriptor = openWeights(model);
  try {
    return tokenizerJsonOf(readFileSync(descriptor), model);
  } finally {
    closeSync(descriptor);
  }
}

/** The error for a folder without a tokenizer, with the remedy. */
export function tokenizerMissing(folder: string): CogVLM2Error {
  const remedy = hasVicunaVocabulary(folder)
    ? ' CogVLM 1 takes that of Vicuna: "cogvlm2 pull" with the name of the model fetches it, or copy tokenizer.model of lmsys/vicuna-7b-v1.5 into the folder.'
    : '';
  return new CogVLM2Error(
    'invalid_checkpoint',
    `${folder} has no tokenizer.json or tokenizer.model, so it can neither read nor write text.${remedy}`,
  );
}
