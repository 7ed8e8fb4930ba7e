/** `cogvlm2 pull`: ask a source what there is, fetch what is missing, put it where the source's own tools would. */

import { existsSync, mkdirSync, readdirSync, realpathSync, statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { lockFile } from '../files/lock.ts';
import { gigabytes } from '../messages.ts';
import { inParallel } from '../run/items.ts';
import { isOffline, snapshotOf } from './cache.ts';
import { download, pause } from './download.ts';
import { cacheFailure, Interrupted, Refused } from './failure.ts';
import { type Layout, layoutOf, placeOf } from './layout.ts';
import {
  cachedVicuna,
  type Digest,
  isNeeded,
  type Listing,
  lackingFiles,
  listsTokenizer,
  neededFiles,
  type RemoteFile,
  type RepoName,
  repositoriesOf,
  type SourceName,
  titleOf,
  tokenizerListing,
  vicuna,
} from './repository.ts';
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
 * @throws CogVLM2Error `invalid_value`, `download_failed`, `write_failed`, `invalid_checkpoint`, `aborted`; offline also
 * `model_not_found`.
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
      'Stopped; what came so far is kept, and the same command goes on there.',
      { cause },
    );
  }
}

/** From the first source that has it. */
async function pullFirst(repos: RepoName[], name: string, options: PullOptions): Promise<Pulled> {
  const reasons: string[] = [];
  for (const repo of repos) {
    try {
      const { pulled, hasTokenizer } = await pullFrom(repo, options, neededFiles);
      if (!hasTokenizer) await pullVicuna(pulled.modelPath, options);
      return pulled;
    } catch (cause) {
      if (!(cause instanceof Refused || cause instanceof Interrupted)) throw cause;
      reasons.push(`${titleOf(repo)}: ${cause.message}`);
    }
  }
  throw new CogVLM2Error('download_failed', `${name} could not be had. ${reasons.join('. ')}.`);
}

/** Pulls the tokenizer of a CogVLM 1, whose own repository has none. */
async function pullVicuna(modelPath: string, options: PullOptions): Promise<void> {
  if (cachedVicuna(options.env) !== undefined) return;
  try {
    await pullFrom(vicuna, options, tokenizerListing);
  } catch (cause) {
    if (!(cause instanceof Refused || cause instanceof Interrupted)) throw cause;
    throw new CogVLM2Error(
      'download_failed',
      `The model is in ${modelPath}, but its tokenizer is not here. ${titleOf(vicuna)}: ${cause.message}. Try again, with a mirror in HF_ENDPOINT if there is one, or copy tokenizer.model of lmsys/vicuna-7b-v1.5 into that folder.`,
      { cause },
    );
  }
}

/** Pulls those of the repository's files that `choose` returns. */
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
  const listing = choose(await patiently(job, () => ask(repo, endpoint, web)));
  const pulled = await pullListing(listing, web, job, failure);
  return { pulled, hasTokenizer: listsTokenizer(listing.files) };
}

async function patiently<T>(options: PullOptions, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (cause) {
      if (!(cause instanceof Interrupted) || attempt === 3) throw cause;
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
  checkRoom(missing, layout);
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

/** Before a byte is fetched. @throws CogVLM2Error `write_failed` with the numbers. */
function checkRoom(missing: readonly RemoteFile[], layout: Layout): void {
  const neededBytes = sum(missing.map((file) => file.sizeBytes - draftSize(layout.draft(file))));
  const folder = nearestExisting(layout.modelPath);
  const { bavail, bsize } = statfsSync(folder);
  if (neededBytes <= bavail * bsize) return;
  throw new CogVLM2Error(
    'write_failed',
    `${gigabytes(neededBytes)} are still to come, but the disk of ${folder} has ${gigabytes(bavail * bsize)} free. Make room, or set HF_HOME or MODELSCOPE_CACHE to another disk.`,
  );
}

function nearestExisting(folder: string): string {
  return existsSync(folder) ? folder : nearestExisting(path.dirname(folder));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

// Options, progress and result of `pull`.

export interface PullOptions {
  source: SourceName | 'auto';
  /** Requests at the same time: for small files, or for parts of a large one. */
  parallel: number;
  /** What is larger is fetched in parts of this size, which wait in memory for their turn to be written. */
  partBytes?: number;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** A connection that is silent for so long is given up and taken up again. */
  stallMs: number;
  pauseMs: (attempt: number) => number;
  /** Called before a failed request is made again, with why it failed, and when. */
  onPause: (why: string, ms: number) => void;
  /** Asks nobody; what is in the cache must do. So does `HF_HUB_OFFLINE` in `env`. */
  offline: boolean;
  onProgress: (progress: PullProgress) => void;
  /** A file is there and verified. */
  onFile: (name: string, sizeBytes: number) => void;
}

/** How far all files are, in bytes, and the one of them that has just got on; both can also become less. */
export interface PullProgress {
  /** `download`: bytes come from the source; `verify`: what lay there already is read, and counts as far as it is read. */
  stage: 'download' | 'verify';
  done: number;
  total: number;
  file: { name: string; done: number; total: number };
}

export interface Pulled {
  title: string;
  modelPath: string;
  files: number;
  sizeBytes: number;
}

// `cogvlm2 pull --offline`: what an earlier pull, or the source's own tools, left in the cache; nobody is asked.

/**
 * The first of the repositories that is there as a whole. Where the cache names its contents by their hashes, as
 * Hugging Face's does, they are verified.
 * @throws CogVLM2Error `model_not_found`; `invalid_checkpoint` for one that is there in part, or damaged.
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
  const remedy = `"cogvlm2 pull ${name}" with a network, and without --offline and HF_HUB_OFFLINE, fetches it; or copy the folder from a machine that has it.`;
  if (inPart.length > 0)
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `${name} is here only in part: ${inPart.join('; ')}. ${remedy}`,
    );
  const places = [...new Set(repos.map((repo) => placeOf(repo, options.env)))].join(' and ');
  throw new CogVLM2Error('model_not_found', `${name} is not in ${places}. ${remedy}`);
}

/** ModelScope's cache does not say which revision it holds, so it has none that is asked for by name. */
function foldersOf(repo: RepoName, env: NodeJS.ProcessEnv): string[] {
  const place = placeOf(repo, env);
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
          `${file} is damaged: ${location} does not have the hash that it is named by. Delete it; "cogvlm2 pull ${name}" with a network fetches it again.`,
        );
      onFile(file, sizeBytes);
    }
    done += sizeBytes;
  }
  return { title: titleOf(repo), modelPath: folder, files: files.length, sizeBytes: total };
}

/** What a blob of Hugging Face's cache is named by. */
function digestIn(name: string): Digest | undefined {
  if (/^[0-9a-f]{64}$/.test(name)) return { algorithm: 'sha256', hex: name };
  if (/^[0-9a-f]{40}$/.test(name)) return { algorithm: 'git-sha1', hex: name };
  return undefined;
}
