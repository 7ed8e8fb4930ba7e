/** The paths of a repository's files in the cache, as the source's own tools place them. */

import { existsSync, mkdirSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { writeFileWhole } from '../files/writing.ts';
import { huggingFaceCache, huggingFaceFolder, modelScopeCache, modelScopeFolder } from './cache.ts';
import type { Listing, RemoteFile, RepoName } from './repository.ts';

export interface Layout {
  /** The folder of the complete model. */
  readonly modelPath: string;
  readonly lockPath: string;
  /** The partial file. */
  draft(file: RemoteFile): string;
  /** The final path. */
  target(file: RemoteFile): string;
  /** `unverified`: a file of the right size and name, with unknown content. */
  state(file: RemoteFile): 'complete' | 'unverified' | 'absent';
  /** Moves a verified partial file to its final path. */
  publish(file: RemoteFile): void;
  /** Called when all files are present. */
  finish(): void;
}

export function layoutOf(listing: Listing, env: NodeJS.ProcessEnv): Layout {
  return listing.repo.source === 'huggingface' ? huggingFace(listing, env) : modelScope(listing, env);
}

/** The folder of a repository, for all its revisions. */
export function repositoryFolder({ source, owner, repo }: RepoName, env: NodeJS.ProcessEnv): string {
  return source === 'huggingface'
    ? path.join(huggingFaceCache(env), huggingFaceFolder(owner, repo))
    : path.join(modelScopeCache(env), owner, modelScopeFolder(repo));
}

/** blobs/ has each content once, named by its hash. snapshots/COMMIT/ has the file names as relative links. */
function huggingFace({ repo, commit }: Listing, env: NodeJS.ProcessEnv): Layout {
  const folder = huggingFaceFolder(repo.owner, repo.repo);
  const root = repositoryFolder(repo, env);
  const snapshot = path.join(root, 'snapshots', commit);
  const blob = (file: RemoteFile) => path.join(root, 'blobs', file.digest.hex);
  const target = (file: RemoteFile) => path.join(snapshot, file.name);
  const link = (file: RemoteFile) => {
    const draft = `${target(file)}.${process.pid}.link`;
    mkdirSync(snapshot, { recursive: true });
    rmSync(draft, { force: true });
    symlinkSync(path.relative(snapshot, blob(file)), draft);
    renameSync(draft, target(file));
  };
  return {
    modelPath: snapshot,
    lockPath: path.join(huggingFaceCache(env), '.locks', folder, 'pull.lock'),
    draft: (file) => `${blob(file)}.incomplete`,
    target,
    state(file) {
      if (hasSize(target(file), file.sizeBytes) && !isLinkTo(target(file), blob(file))) return 'unverified';
      if (!hasSize(blob(file), file.sizeBytes)) return 'absent';
      if (!isLinkTo(target(file), blob(file))) link(file);
      return 'complete';
    },
    publish(file) {
      renameSync(`${blob(file)}.incomplete`, blob(file));
      link(file);
    },
    finish() {
      const revision = repo.revision ?? 'main';
      if (revision === commit) return;
      const reference = path.join(root, 'refs', revision);
      mkdirSync(path.dirname(reference), { recursive: true });
      writeFileWhole(reference, commit);
    },
  };
}

/** One folder of plain files. Partial files are in a folder beside the owners. */
function modelScope({ repo }: Listing, env: NodeJS.ProcessEnv): Layout {
  const own = path.join(repo.owner, modelScopeFolder(repo.repo));
  const modelPath = repositoryFolder(repo, env);
  const drafts = path.join(modelScopeCache(env), '._____temp', own);
  const draft = (file: RemoteFile) => path.join(drafts, `${file.name}.${file.digest.hex}.incomplete`);
  const target = (file: RemoteFile) => path.join(modelPath, file.name);
  return {
    modelPath,
    lockPath: path.join(drafts, 'pull.lock'),
    draft,
    target,
    state: (file) => (hasSize(target(file), file.sizeBytes) ? 'unverified' : 'absent'),
    publish(file) {
      mkdirSync(modelPath, { recursive: true });
      renameSync(draft(file), target(file));
    },
    finish() {},
  };
}

function hasSize(file: string, sizeBytes: number): boolean {
  return existsSync(file) && statSync(file).size === sizeBytes;
}

function isLinkTo(link: string, target: string): boolean {
  try {
    return path.resolve(path.dirname(link), readlinkSync(link)) === path.resolve(target);
  } catch {
    return false;
  }
}
