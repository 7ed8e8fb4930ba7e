/** `cogvlm2 pull --offline`: finds a model in the cache and verifies its files, without network requests. */

import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { snapshotOf } from './cache.ts';
import { repositoryFolder } from './layout.ts';
import { isNeeded, lackingFiles } from './needed-files.ts';
import type { Pulled, PullOptions } from './pull-options.ts';
import { type Digest, type RepoName, titleOf } from './repository.ts';
import { isIntact } from './sink.ts';

/**
 * The first of the repositories that is complete. Files are verified if the cache names them by their hashes, as Hugging Face's
 * cache does.
 * @throws CogVLM2Error `model_not_found`; `invalid_checkpoint` if it is incomplete or damaged
 */
export async function findCached(name: string, repos: RepoName[], options: PullOptions): Promise<Pulled> {
  const inPart: string[] = [];
  for (const repo of repos) {
    for (const folder of foldersOf(repo, options.env)) {
      const lacking = lackingFiles(folder, options.env);
      if (lacking.length === 0) return await verified(name, repo, folder, options);
      inPart.push(`${folder} lacks ${lacking.join(', ')}`);
    }
  }
  const remedy = `"cogvlm2 pull ${name}" with a network, and without --offline and HF_HUB_OFFLINE, downloads it; or copy the folder from a machine that has it.`;
  if (inPart.length > 0)
    throw new CogVLM2Error('invalid_checkpoint', `${name} is incomplete: ${inPart.join('; ')}. ${remedy}`);
  const places = [...new Set(repos.map((repo) => repositoryFolder(repo, options.env)))].join(' and ');
  throw new CogVLM2Error('model_not_found', `${name} is not in ${places}. ${remedy}`);
}

/** ModelScope's cache does not record its revision, so a request with a revision finds nothing in it. */
function foldersOf(repo: RepoName, env: NodeJS.ProcessEnv): string[] {
  const place = repositoryFolder(repo, env);
  if (repo.source === 'modelscope') return repo.revision === undefined && existsSync(place) ? [place] : [];
  const snapshot = snapshotOf(place, repo.revision);
  return snapshot === undefined ? [] : [snapshot];
}

async function verified(
  name: string,
  repo: RepoName,
  folder: string,
  { signal, onProgress, onFile }: PullOptions,
): Promise<Pulled> {
  const files = readdirSync(folder)
    .filter(isNeeded)
    .map((file) => {
      const location = realpathSync(path.join(folder, file));
      return {
        file,
        location,
        sizeBytes: statSync(location).size,
        digest: digestIn(path.basename(location)),
      };
    });
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let done = 0;
  for (const { file, location, sizeBytes, digest } of files) {
    if (digest !== undefined) {
      const onPosition = (bytes: number) =>
        onProgress({
          stage: 'verify',
          done: done + bytes,
          total,
          file: { name: file, done: bytes, total: sizeBytes },
        });
      if (!(await isIntact(location, { digest, sizeBytes }, signal, onPosition)))
        throw new CogVLM2Error(
          'invalid_checkpoint',
          `${file} is damaged: ${location} does not have the hash that its name states. Delete it; "cogvlm2 pull ${name}" with a network downloads it again.`,
        );
      onFile(file, sizeBytes);
    }
    done += sizeBytes;
  }
  return { title: titleOf(repo), modelPath: folder, files: files.length, sizeBytes: total };
}

/** The hash in the name of a file in Hugging Face's blobs/. */
function digestIn(name: string): Digest | undefined {
  if (/^[0-9a-f]{64}$/.test(name)) return { algorithm: 'sha256', hex: name };
  if (/^[0-9a-f]{40}$/.test(name)) return { algorithm: 'git-sha1', hex: name };
  return undefined;
}
