/** The files that a model needs: in the list of a repository, and in a folder on this machine. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { huggingFaceCache, huggingFaceFolder, snapshotOf } from './cache.ts';
import { type Listing, type RemoteFile, type RepoName, titleOf } from './repository.ts';

/** Config, tokenizer, weights and licences; no code, and no weights in a second format. */
const needed =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens)\.json$|^tokenizer\.model$|^model[\w.-]*\.safetensors(\.index\.json)?$|^(MODEL_)?LICENSE(\.\w+)?$/;

/** Each of these files is a complete tokenizer. */
const tokenizerFiles: readonly string[] = ['tokenizer.json', 'tokenizer.model'];

export function isNeeded(name: string): boolean {
  return needed.test(name);
}

/** The needed files. Small files come first, so that problems of a repository appear early. */
export function neededFiles(listing: Listing): Listing {
  const files = listing.files.filter(({ name }) => isNeeded(name));
  if (!files.some(({ name }) => name === 'config.json')) throw lacks(listing.repo, 'config.json');
  if (!listsTokenizer(files) && !needsVicuna(listing.repo)) throw lacks(listing.repo, 'tokenizer.json');
  if (!files.some(({ name }) => name.endsWith('.safetensors'))) throw lacks(listing.repo, '*.safetensors');
  files.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  return { ...listing, files };
}

export function listsTokenizer(files: readonly Pick<RemoteFile, 'name'>[]): boolean {
  return files.some(({ name }) => tokenizerFiles.includes(name));
}

/** The files of a repository that are its tokenizer. */
export function tokenizerListing(listing: Listing): Listing {
  const files = listing.files.filter(({ name }) =>
    [...tokenizerFiles, 'tokenizer_config.json', 'special_tokens_map.json'].includes(name),
  );
  if (!listsTokenizer(files)) throw lacks(listing.repo, 'tokenizer.model');
  return { ...listing, files };
}

function rank({ name }: RemoteFile): number {
  return name.endsWith('.safetensors') ? 1 : 0;
}

function lacks(repo: RepoName, name: string): CogVLM2Error {
  return new CogVLM2Error('invalid_checkpoint', `${titleOf(repo)} has no ${name}, so it cannot be run here.`);
}

// The tokenizer of CogVLM 1. Its repositories have none: the published code loads Vicuna's from Vicuna's repository.

export const vicuna: RepoName = { source: 'huggingface', owner: 'lmsys', repo: 'vicuna-7b-v1.5' };

/** Whether the repository is a CogVLM 1 model, which uses Vicuna's tokenizer. Names of CogVLM2 begin with `cogvlm2`. */
function needsVicuna({ repo }: Pick<RepoName, 'repo'>): boolean {
  return repo.startsWith('cogvlm-');
}

function hasTokenizer(folder: string): boolean {
  return tokenizerFiles.some((name) => existsSync(path.join(folder, name)));
}

/** The folder of Vicuna's tokenizer in Hugging Face's cache, if `pull` or the published demo downloaded it. */
export function cachedVicuna(env: NodeJS.ProcessEnv): string | undefined {
  try {
    const folder = path.join(huggingFaceCache(env), huggingFaceFolder(vicuna.owner, vicuna.repo));
    const snapshot = snapshotOf(folder);
    return snapshot !== undefined && hasTokenizer(snapshot) ? snapshot : undefined;
  } catch {
    return undefined; // A user without a home folder.
  }
}

/** Whether config.json has the vocabulary size of Vicuna. */
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

// The files that a local folder lacks.

/** The files of a model that are missing in a folder, or that are broken links. */
export function lackingFiles(folder: string, env: NodeJS.ProcessEnv): string[] {
  const index = path.join(folder, 'model.safetensors.index.json');
  const weights = existsSync(index) ? shardsIn(index) : ['model.safetensors'];
  const lacking = ['config.json', ...weights].filter((name) => !existsSync(path.join(folder, name)));
  if (hasTokenizer(folder)) return lacking;
  if (!hasVicunaVocabulary(folder)) return [...lacking, 'tokenizer.json'];
  return cachedVicuna(env) === undefined ? [...lacking, "tokenizer.model (Vicuna's)"] : lacking;
}

/** The weight files in an index. Empty if the index cannot be read; opening the model then reports the error. */
function shardsIn(index: string): string[] {
  try {
    const { weight_map: shards }: { weight_map?: unknown } = JSON.parse(readFileSync(index, 'utf8'));
    return [...new Set(Object.values(Object(shards)).map(String))].sort();
  } catch {
    return [];
  }
}
