/** Where the files of a repository lie, as the source's own tools would have put them. */

import { existsSync, mkdirSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { writeFileWhole } from '../files/writing.ts';
import { huggingFaceCache, huggingFaceFolder, modelScopeCache, modelScopeFolder } from './cache.ts';
import type { Listing, RemoteFile, RepoName } from './repository.ts';

export interface Layout {
  /** The folder that is the model, when all is there. */
  readonly modelPath: string;
  readonly lockPath: string;
  /** Where the bytes gather. */
  draft(file: RemoteFile): string;
  /** Where a person would put the file, and where it is found in the end. */
  target(file: RemoteFile): string;
  /** `complete` needs nothing; `unverified` lies under its name, but who knows what it is. */
  state(file: RemoteFile): 'complete' | 'unverified' | 'absent';
  /** A verified draft gets its name. */
  publish(file: RemoteFile): void;
  /** All files are there. */
  finish(): void;
}

export function layoutOf(listing: Listing, env: NodeJS.ProcessEnv): Layout {
  return listing.repo.source === 'huggingface' ? huggingFace(listing, env) : modelScope(listing, env);
}

/** The folder of a repository, whichever revisions are in it. */
export function placeOf({ source, owner, repo }: RepoName, env: NodeJS.ProcessEnv): string {
  return source === 'huggingface'
    ? path.join(huggingFaceCache(env), huggingFaceFolder(owner, repo))
    : path.join(modelScopeCache(env), owner, modelScopeFolder(repo));
}

/** blobs/ has each content once, under its hash; snapshots/COMMIT/ has the names, as relative links. */
function huggingFace({ repo, commit }: Listing, env: NodeJS.ProcessEnv): Layout {
  const folder = huggingFaceFolder(repo.owner, repo.repo);
  const root = placeOf(repo, env);
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

/** One folder of plain files; drafts lie in a folder beside the owners. */
function modelScope({ repo }: Listing, env: NodeJS.ProcessEnv): Layout {
  const own = path.join(repo.owner, modelScopeFolder(repo.repo));
  const modelPath = placeOf(repo, env);
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
