/** What a person calls a model, as repositories to ask for it. */
import { CogVLM2Error } from '../errors.ts';
import { PUBLISHED_MODELS } from './cache.ts';

export type SourceName = 'huggingface' | 'modelscope';

export interface RepoName {
  source: SourceName;
  owner: string;
  repo: string;
  /** A branch, tag or commit; without it, what the source takes for the newest. */
  revision?: string;
}

const OWNERS: readonly (readonly [SourceName, string])[] = [
  ['huggingface', 'THUDM'],
  ['huggingface', 'zai-org'],
  ['modelscope', 'ZhipuAI'],
];

const explicit = /^(hf|ms):(\w[\w.-]*)\/(\w[\w.-]*)(?:@(\w[\w./-]*))?$/;

/**
 * In the order in which to try them.
 * @throws CogVLM2Error `invalid_value`.
 */
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
      `There is nothing to pull under "${name}": write hf:OWNER/REPO, ms:OWNER/REPO or the name of a published model (${PUBLISHED_MODELS.join(', ')}), with @REVISION if you like.`,
    );
  }
  const where = prefix === 'hf' ? 'huggingface' : 'modelscope';
  return [{ source: where, owner, repo, ...(at !== undefined && { revision: at }) }];
}

export function titleOf({ source, owner, repo }: RepoName): string {
  return `${owner}/${repo} at ${source === 'huggingface' ? 'Hugging Face' : 'ModelScope'}`;
}
