/** What a source says that a repository holds, and which of it a model needs. */
import { CogVLM2Error } from '../errors.ts';
import { type RepoName, titleOf } from './names.ts';
import { needsVicuna, tokenizerFiles } from './vicuna.ts';

/** `git-sha1` is the hash of a small file as git keeps it: over a header with the size, and the bytes. */
export interface Digest {
  algorithm: 'sha256' | 'git-sha1';
  hex: string;
}

export interface RemoteFile {
  name: string;
  sizeBytes: number;
  digest: Digest;
  url: string;
}

export interface Listing {
  repo: RepoName;
  /** The commit, where the source names it; the revision that was asked for otherwise. */
  commit: string;
  files: RemoteFile[];
}

/** Config, tokenizer, weights and licences; not the weights a second time in another format, and no code. */
const needed =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens)\.json$|^tokenizer\.model$|^model[\w.-]*\.safetensors(\.index\.json)?$|^(MODEL_)?LICENSE(\.\w+)?$/;

export function isNeeded(name: string): boolean {
  return needed.test(name);
}

/** The needed files, small ones first, so that what is wrong with a repository shows early. */
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
