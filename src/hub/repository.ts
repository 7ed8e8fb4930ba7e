/** Repositories: their names, and the files that a source lists. */

import { CogVLM2Error } from '../errors.ts';
import { PUBLISHED_MODELS } from './cache.ts';

export type SourceName = 'huggingface' | 'modelscope';

export interface RepoName {
  source: SourceName;
  owner: string;
  repo: string;
  /** A branch, tag or commit. Default: the source's newest version. */
  revision?: string;
}

const OWNERS: readonly (readonly [SourceName, string])[] = [
  ['huggingface', 'THUDM'],
  ['huggingface', 'zai-org'],
  ['modelscope', 'ZhipuAI'],
];

const explicit = /^(hf|ms):(\w[\w.-]*)\/(\w[\w.-]*)(?:@(\w[\w./-]*))?$/;

/** The repositories of a name, in the order of trial. @throws CogVLM2Error `invalid_value` */
export function repositoriesOf(name: string, source: SourceName | 'auto'): RepoName[] {
  const [short = '', revision] = name.split('@');
  if (PUBLISHED_MODELS.includes(short) && (revision === undefined || /^\w[\w./-]*$/.test(revision))) {
    return OWNERS.filter(([where]) => source === 'auto' || source === where).map(([where, owner]) => ({
      source: where,
      owner,
      repo: short,
      ...(revision !== undefined && { revision }),
    }));
  }
  const [, prefix, owner, repo, at] = explicit.exec(name) ?? [];
  if (owner === undefined || repo === undefined || at?.includes('..')) {
    throw new CogVLM2Error(
      'invalid_value',
      `"${name}" is not a model that can be pulled: write hf:OWNER/REPO, ms:OWNER/REPO or the name of a published model (${PUBLISHED_MODELS.join(', ')}), optionally with @REVISION.`,
    );
  }
  const where = prefix === 'hf' ? 'huggingface' : 'modelscope';
  return [{ source: where, owner, repo, ...(at !== undefined && { revision: at }) }];
}

export function titleOf({ source, owner, repo }: RepoName): string {
  return `${owner}/${repo} at ${source === 'huggingface' ? 'Hugging Face' : 'ModelScope'}`;
}

/** `git-sha1` is git's blob hash of a small file: over a header with the size, and the bytes. */
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
  /** The commit, if the source names it; otherwise the requested revision. */
  commit: string;
  files: RemoteFile[];
}
