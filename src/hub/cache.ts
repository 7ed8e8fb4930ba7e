/**
 * The download caches of Hugging Face's and ModelScope's own tools. This program shares them: it finds what these tools
 * downloaded, and they find what it downloaded.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { homeFolder } from '../files/folders.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Sizes in GiB of the models that can be pulled by name, without their owner. */
const publishedGiB = {
  'cogvlm2-llama3-chat-19B': 36.3,
  'cogvlm2-llama3-chinese-chat-19B': 36.3,
  'cogvlm-chat-hf': 32.9,
  'cogvlm-base-490-hf': 32.9,
  'cogvlm-base-224-hf': 32.9,
  'cogvlm-grounding-base-hf': 32.9,
  'cogvlm-grounding-generalist-hf': 32.9,
  'cogvlm2-llama3-caption': 23.3,
  'cogvlm2-video-llama3-chat': 23.3,
  'cogvlm2-video-llama3-base': 23.3,
};

export type PublishedName = keyof typeof publishedGiB;

export const PUBLISHED_MODELS: readonly string[] = Object.keys(publishedGiB);

export function isPublished(name: string): name is PublishedName {
  return Object.hasOwn(publishedGiB, name);
}

/** The folder of Hugging Face's settings. It also contains the token. */
export function huggingFaceHome(env: Env): string {
  return env.HF_HOME || path.join(env.XDG_CACHE_HOME || path.join(home(env), '.cache'), 'huggingface');
}

/** The folder that holds `models--OWNER--REPO`. */
export function huggingFaceCache(env: Env): string {
  return env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || path.join(huggingFaceHome(env), 'hub');
}

/** The folder that holds `OWNER/REPO`. */
export function modelScopeCache(env: Env): string {
  const root = env.MODELSCOPE_CACHE || path.join(home(env), '.cache', 'modelscope', 'hub');
  return path.join(root, 'models');
}

export function huggingFaceFolder(owner: string, repo: string): string {
  return `models--${owner}--${repo}`;
}

/** ModelScope writes a dot in a model's name as three underscores. */
export function modelScopeFolder(repo: string): string {
  return repo.replaceAll('.', '___');
}

/** The checkpoints of this architecture in the caches, by repository name. Empty for a user without a home folder. */
export function cachedModels(env: Env = process.env): Map<string, string> {
  const found = new Map<string, string>();
  const add = (name: string, folder: string | undefined) => {
    if (folder !== undefined && !found.has(name) && isOurs(folder)) found.set(name, folder);
  };
  const hub = orNone(() => huggingFaceCache(env));
  for (const folder of hub === undefined ? [] : foldersIn(hub)) {
    const [kind, , ...repo] = folder.split('--');
    if (kind === 'models' && repo.length > 0) add(repo.join('--'), snapshotOf(path.join(hub ?? '', folder)));
  }
  // Older versions of ModelScope's tool leave out the folder `models`.
  const scope = orNone(() => modelScopeCache(env));
  for (const root of scope === undefined ? [] : [scope, path.dirname(scope)]) {
    for (const owner of foldersIn(root)) {
      for (const repo of foldersIn(path.join(root, owner)))
        add(repo.replaceAll('___', '.'), path.join(root, owner, repo));
    }
  }
  return found;
}

/** Whether network requests are forbidden: `HF_HUB_OFFLINE`, as Hugging Face's tools read it. */
export function isOffline(env: Env): boolean {
  return /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? '');
}

/** How to get a published model that is missing or incomplete. */
export function remedyFor(name: string, env: Env): string {
  const size = isPublished(name) ? ` (${publishedGiB[name]} GiB in all)` : '';
  const remedy = `"cogvlm2 pull ${name}" downloads what is missing${size}`;
  return isOffline(env) ? `Without HF_HUB_OFFLINE, ${remedy}.` : `${remedy}.`;
}

/** The snapshot of a branch or tag, or of a commit. */
export function snapshotOf(repoFolder: string, revision = 'main'): string | undefined {
  const reference = path.join(repoFolder, 'refs', revision);
  const commit = existsSync(reference) ? readFileSync(reference, 'utf8').trim() : revision;
  const snapshot = path.join(repoFolder, 'snapshots', commit);
  return existsSync(snapshot) ? snapshot : undefined;
}

function isOurs(folder: string): boolean {
  try {
    return /"CogVLM(Video)?ForCausalLM"/.test(readFileSync(path.join(folder, 'config.json'), 'utf8'));
  } catch {
    return false;
  }
}

function foldersIn(folder: string): string[] {
  try {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name);
  } catch {
    return []; // A folder that this user may not read.
  }
}

function orNone(folder: () => string): string | undefined {
  try {
    return folder();
  } catch {
    return undefined; // A user without a home folder.
  }
}

/** @throws CogVLM2Error `write_failed` for a user without a home folder */
function home(env: Env): string {
  const folder = homeFolder(env);
  if (folder !== null) return folder;
  throw new CogVLM2Error(
    'write_failed',
    'This user has no home folder, so there is no place for downloaded models. Set HF_HOME (and MODELSCOPE_CACHE) to a folder.',
  );
}
