/** `cogvlm2 pull`: lists a repository, downloads the missing files, and writes them to the cache of the source's own tools. */

import { existsSync, mkdirSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { lockFile } from '../files/lock.ts';
import { gigabytes } from '../messages.ts';
import { inParallel } from '../run/items.ts';
import { isOffline } from './cache.ts';
import { download, pause } from './download.ts';
import { cacheFailure, PermanentError, TransientError } from './failure.ts';
import { type Layout, layoutOf } from './layout.ts';
import { cachedVicuna, listsTokenizer, neededFiles, tokenizerListing, vicuna } from './needed-files.ts';
import { findCached } from './offline.ts';
import type { Pulled, PullOptions, PullProgress } from './pull-options.ts';
import { type Listing, type RemoteFile, type RepoName, repositoriesOf, titleOf } from './repository.ts';
import { draftSize, isIntact } from './sink.ts';
import {
  huggingFaceEndpoint,
  huggingFaceToken,
  listHuggingFace,
  listModelScope,
  modelScopeEndpoint,
} from './sources.ts';
import { Web } from './web.ts';

const PART_BYTES = 16 * 2 ** 20;

/**
 * @throws CogVLM2Error `invalid_value`, `download_failed`, `write_failed`, `invalid_checkpoint`, `aborted`; with `offline`
 * also `model_not_found`
 */
export async function pull(name: string, options: PullOptions): Promise<Pulled> {
  try {
    const repos = repositoriesOf(name, options.source);
    if (options.offline || isOffline(options.env)) return await findCached(name, repos, options);
    return await pullFirst(repos, name, options);
  } catch (cause) {
    if (!options.signal.aborted) throw cacheFailure(cause);
    throw new CogVLM2Error(
      'aborted',
      'Stopped. The bytes received so far are kept, and the same command resumes.',
      { cause },
    );
  }
}

/** Pulls from the first source that has the model. */
async function pullFirst(repos: RepoName[], name: string, options: PullOptions): Promise<Pulled> {
  const reasons: string[] = [];
  for (const repo of repos) {
    try {
      const { pulled, hasTokenizer } = await pullFrom(repo, options, neededFiles);
      if (!hasTokenizer) await pullVicuna(pulled.modelPath, options);
      return pulled;
    } catch (cause) {
      if (!(cause instanceof PermanentError || cause instanceof TransientError)) throw cause;
      reasons.push(`${titleOf(repo)}: ${cause.message}`);
    }
  }
  throw new CogVLM2Error('download_failed', `${name} could not be downloaded. ${reasons.join('. ')}.`);
}

/** Pulls the tokenizer of a CogVLM 1 model, whose own repository has none. */
async function pullVicuna(modelPath: string, options: PullOptions): Promise<void> {
  if (cachedVicuna(options.env) !== undefined) return;
  try {
    await pullFrom(vicuna, options, tokenizerListing);
  } catch (cause) {
    if (!(cause instanceof PermanentError || cause instanceof TransientError)) throw cause;
    throw new CogVLM2Error(
      'download_failed',
      `The model is in ${modelPath}, but its tokenizer is not here. ${titleOf(vicuna)}: ${cause.message}. Try again, with a mirror in HF_ENDPOINT if there is one, or copy tokenizer.model of lmsys/vicuna-7b-v1.5 into that folder.`,
      { cause },
    );
  }
}

/** Pulls the files that `choose` returns. */
async function pullFrom(
  repo: RepoName,
  options: PullOptions,
  choose: (listing: Listing) => Listing,
): Promise<{ pulled: Pulled; hasTokenizer: boolean }> {
  const isHuggingFace = repo.source === 'huggingface';
  const endpoint = isHuggingFace ? huggingFaceEndpoint(options.env) : modelScopeEndpoint(options.env);
  const token = isHuggingFace ? huggingFaceToken(options.env) : undefined;
  const failure = new AbortController(); // The first file that fails stops the others.
  const job = { ...options, signal: AbortSignal.any([options.signal, failure.signal]) };
  await using web = new Web({ ...job, endpoint, token });
  const ask = isHuggingFace ? listHuggingFace : listModelScope;
  const listing = choose(await withRetries(job, () => ask(repo, endpoint, web)));
  const pulled = await pullListing(listing, web, job, failure);
  return { pulled, hasTokenizer: listsTokenizer(listing.files) };
}

async function withRetries<T>(options: PullOptions, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (cause) {
      if (!(cause instanceof TransientError) || attempt === 3) throw cause;
      await pause(options, cause, attempt);
    }
  }
}

async function pullListing(
  listing: Listing,
  web: Web,
  options: PullOptions,
  failure: AbortController,
): Promise<Pulled> {
  const layout = layoutOf(listing, options.env);
  mkdirSync(path.dirname(layout.lockPath), { recursive: true });
  using _ = lockFile(
    layout.lockPath,
    (holder) => new CogVLM2Error('download_failed', `${holder} is pulling this model already. Wait for it.`),
  );
  const total = sum(listing.files.map((file) => file.sizeBytes));
  const positions = new Map<string, number>();
  const place = (file: RemoteFile, done: number, stage: PullProgress['stage']) => {
    positions.set(file.name, done);
    const part = { name: file.name, done, total: file.sizeBytes };
    options.onProgress({ stage, done: sum([...positions.values()]), total, file: part });
  };
  const missing: RemoteFile[] = [];
  for (const file of listing.files) {
    const state = layout.state(file);
    const isThere =
      state === 'complete' ||
      (state === 'unverified' &&
        (await isIntact(layout.target(file), file, options.signal, (bytes) => place(file, bytes, 'verify'))));
    if (isThere) place(file, file.sizeBytes, 'verify');
    else {
      positions.delete(file.name);
      missing.push(file);
    }
  }
  checkFreeSpace(missing, layout);
  const { partBytes = PART_BYTES, parallel } = options;
  const fetch = async (file: RemoteFile, connections: number) => {
    await download({
      ...options,
      web,
      file,
      connections,
      partBytes,
      draft: layout.draft(file),
      target: layout.target(file),
      onPosition: (bytes, stage) => place(file, bytes, stage),
    });
    layout.publish(file);
    options.onFile(file.name, file.sizeBytes);
  };
  const isLarge = (file: RemoteFile) => file.sizeBytes > partBytes;
  await inParallel(
    missing.filter((file) => !isLarge(file)),
    parallel,
    (file) =>
      fetch(file, 1).catch((cause: unknown) => {
        failure.abort(cause);
        throw cause;
      }),
  );
  for (const file of missing.filter(isLarge)) await fetch(file, parallel);
  layout.finish();
  return {
    title: titleOf(listing.repo),
    modelPath: layout.modelPath,
    files: listing.files.length,
    sizeBytes: total,
  };
}

/** Checks the free disk space. @throws CogVLM2Error `write_failed` with the numbers */
function checkFreeSpace(missing: readonly RemoteFile[], layout: Layout): void {
  const neededBytes = sum(missing.map((file) => file.sizeBytes - draftSize(layout.draft(file))));
  const folder = nearestExisting(layout.modelPath);
  const { bavail, bsize } = statfsSync(folder);
  if (neededBytes <= bavail * bsize) return;
  throw new CogVLM2Error(
    'write_failed',
    `${gigabytes(neededBytes)} must be downloaded, but the disk of ${folder} has ${gigabytes(bavail * bsize)} free. Free some space, or set HF_HOME or MODELSCOPE_CACHE to another disk.`,
  );
}

function nearestExisting(folder: string): string {
  return existsSync(folder) ? folder : nearestExisting(path.dirname(folder));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
