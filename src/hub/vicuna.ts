/** The tokenizer of CogVLM 1. Its repositories have none: the published code takes Vicuna's, from Vicuna's repository. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { huggingFaceCache, huggingFaceFolder, snapshotOf } from './cache.ts';
import type { RepoName } from './names.ts';

export const vicuna: RepoName = { source: 'huggingface', owner: 'lmsys', repo: 'vicuna-7b-v1.5' };

/** Either of them is a tokenizer. */
export const tokenizerFiles: readonly string[] = ['tokenizer.json', 'tokenizer.model'];

/** Whether a repository of this name is one of CogVLM 1's, whose tokenizer is Vicuna's. Those of CogVLM2 begin with `cogvlm2`. */
export function needsVicuna({ repo }: Pick<RepoName, 'repo'>): boolean {
  return repo.startsWith('cogvlm-');
}

export function hasTokenizer(folder: string): boolean {
  return tokenizerFiles.some((name) => existsSync(path.join(folder, name)));
}

/** The folder of Vicuna's tokenizer in the cache of Hugging Face, if `pull` or the published demo fetched it. */
export function cachedVicuna(env: NodeJS.ProcessEnv): string | undefined {
  try {
    const folder = path.join(huggingFaceCache(env), huggingFaceFolder(vicuna.owner, vicuna.repo));
    const snapshot = snapshotOf(folder);
    return snapshot !== undefined && hasTokenizer(snapshot) ? snapshot : undefined;
  } catch {
    return undefined; // This user has no home.
  }
}

/** Whether the config.json in a folder has the vocabulary of Vicuna. */
export function hasVicunaVocabulary(folder: string): boolean {
  try {
    const config: unknown = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));
    return (
      typeof config === 'object' && config !== null && 'vocab_size' in config && config.vocab_size === 32_000
    );
  } catch {
    return false;
  }
}
