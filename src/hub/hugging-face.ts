/** Hugging Face, or a mirror of it: one request tells the commit and every file with its size and hash. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { huggingFaceHome } from '../model-cache.ts';
import { badAnswer } from './failure.ts';
import type { Digest, Listing } from './listing.ts';
import type { RepoName } from './names.ts';
import type { Web } from './web.ts';

const hash = (length: number) => z.string().regex(new RegExp(`^[0-9a-f]{${length}}$`));

const answer = z.object({
  sha: z.string().regex(/^\w+$/),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: z.int().min(0).optional(),
      blobId: hash(40).optional(),
      lfs: z.object({ sha256: hash(64), size: z.int().min(0) }).nullish(),
    }),
  ),
});

export function huggingFaceEndpoint(env: NodeJS.ProcessEnv): string {
  return (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
}

/** From the environment, or from where `huggingface-cli login` puts it. */
export function huggingFaceToken(env: NodeJS.ProcessEnv): string | undefined {
  if (env.HF_TOKEN) return env.HF_TOKEN.trim();
  try {
    return readFileSync(path.join(huggingFaceHome(env), 'token'), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

export async function listHuggingFace(repo: RepoName, endpoint: string, web: Web): Promise<Listing> {
  const id = `${repo.owner}/${repo.repo}`;
  const url = `${endpoint}/api/models/${id}/revision/${encodeURIComponent(repo.revision ?? 'main')}?blobs=true`;
  const parsed = answer.safeParse(await web.json(url));
  if (!parsed.success) throw badAnswer(url, 'is no list of files');
  const { sha, siblings } = parsed.data;
  const files = siblings.flatMap(({ rfilename: name, size, blobId, lfs }) => {
    const digest: Digest | undefined = lfs
      ? { algorithm: 'sha256', hex: lfs.sha256 }
      : blobId !== undefined
        ? { algorithm: 'git-sha1', hex: blobId }
        : undefined;
    const sizeBytes = lfs?.size ?? size;
    if (!digest || sizeBytes === undefined) return [];
    const path = name.split('/').map(encodeURIComponent).join('/');
    return [{ name, sizeBytes, digest, url: `${endpoint}/${id}/resolve/${sha}/${path}` }];
  });
  return { repo, commit: sha, files };
}
