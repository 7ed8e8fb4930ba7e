/** What a folder lacks of a model. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { cachedVicuna, hasTokenizer, hasVicunaVocabulary } from './vicuna.ts';

/** The files of a model that are missing from a folder, or are links that lead nowhere. */
export function lackingFiles(folder: string, env: NodeJS.ProcessEnv): string[] {
  const index = path.join(folder, 'model.safetensors.index.json');
  const weights = existsSync(index) ? shardsIn(index) : ['model.safetensors'];
  const lacking = ['config.json', ...weights].filter((name) => !existsSync(path.join(folder, name)));
  if (hasTokenizer(folder)) return lacking;
  if (!hasVicunaVocabulary(folder)) return [...lacking, 'tokenizer.json'];
  return cachedVicuna(env) === undefined ? [...lacking, "tokenizer.model (Vicuna's)"] : lacking;
}

/** The files of weights that an index names. None if it cannot be read, which is an error when the model is opened. */
function shardsIn(index: string): string[] {
  try {
    const { weight_map: shards }: { weight_map?: unknown } = JSON.parse(readFileSync(index, 'utf8'));
    return [...new Set(Object.values(Object(shards)).map(String))].sort();
  } catch {
    return [];
  }
}
