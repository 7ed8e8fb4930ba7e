/** The lists of files of the two sources, and the addresses and the token that they take from the environment. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { huggingFaceHome } from './cache.ts';
import { badAnswer, PermanentError } from './failure.ts';
import { isNeeded } from './needed-files.ts';
import type { Digest, Listing, RepoName } from './repository.ts';
import type { Web } from './web.ts';

// Hugging Face or a mirror: one request for the commit and all sizes and hashes.

const hash = (length: number) =>
  z
    .string()
    .toLowerCase()
    .regex(new RegExp(`^[0-9a-f]{${length}}$`));

const huggingFaceAnswer = z.object({
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

/** @throws CogVLM2Error `invalid_value` */
export function huggingFaceEndpoint(env: NodeJS.ProcessEnv): string {
  const endpoint = env.HF_ENDPOINT || 'https://huggingface.co';
  if (/^https?:\/\//i.test(endpoint) && URL.canParse(endpoint)) return endpoint.replace(/\/+$/, '');
  throw new CogVLM2Error(
    'invalid_value',
    `HF_ENDPOINT is "${endpoint}", but it must be a URL that begins with https:// or http://.`,
  );
}

/**
 * From the environment, or from the file that `huggingface-cli login` writes.
 * @throws CogVLM2Error `invalid_value` for a token that is not valid in a header
 */
export function huggingFaceToken(env: NodeJS.ProcessEnv): string | undefined {
  const name = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'].find((name) => env[name]?.trim());
  const file = () => env.HF_TOKEN_PATH || path.join(huggingFaceHome(env), 'token');
  const token = (name === undefined ? readIfThere(file) : env[name])?.trim();
  if (!token) return undefined;
  if (/^[!-~]+$/.test(token)) return token;
  throw new CogVLM2Error(
    'invalid_value',
    `${name ?? file()} contains no valid token: it has a space, a line break or a character outside ASCII. Copy the token again.`,
  );
}

function readIfThere(file: () => string): string | undefined {
  try {
    return readFileSync(file(), 'utf8');
  } catch {
    return undefined;
  }
}

export async function listHuggingFace(repo: RepoName, endpoint: string, web: Web): Promise<Listing> {
  const id = `${repo.owner}/${repo.repo}`;
  const url = `${endpoint}/api/models/${id}/revision/${encodeURIComponent(repo.revision ?? 'main')}?blobs=true`;
  const parsed = huggingFaceAnswer.safeParse(await web.json(url));
  if (!parsed.success) throw badAnswer(url, 'is not a list of files');
  const { sha, siblings } = parsed.data;
  const withoutHash = siblings.find(
    ({ rfilename, blobId, lfs }) => isNeeded(rfilename) && !lfs && blobId === undefined,
  );
  if (withoutHash !== undefined) {
    throw new PermanentError(
      `${endpoint} lists ${withoutHash.rfilename} without a hash, so a download could not be verified. It may be a mirror that does not support ?blobs=true. Set HF_ENDPOINT to another one, or unset it`,
    );
  }
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

// ModelScope: one request for the size and sha256 of every file.

const modelScopeAnswer = z.object({
  Data: z.object({
    Files: z.array(
      z.object({
        Path: z.string(),
        Type: z.string(),
        Size: z.int().min(0),
        Sha256: z.string().optional(),
      }),
    ),
  }),
});

/** @throws CogVLM2Error `invalid_value` */
export function modelScopeEndpoint(env: NodeJS.ProcessEnv): string {
  const domain = (env.MODELSCOPE_DOMAIN || 'www.modelscope.cn').replace(/\/+$/, '');
  const endpoint = /^https?:\/\//i.test(domain) ? domain : `https://${domain}`;
  if (URL.canParse(endpoint)) return endpoint;
  throw new CogVLM2Error(
    'invalid_value',
    `MODELSCOPE_DOMAIN is "${domain}", but it must be a host name such as www.modelscope.cn.`,
  );
}

export async function listModelScope(repo: RepoName, endpoint: string, web: Web): Promise<Listing> {
  const commit = repo.revision ?? 'master';
  const base = `${endpoint}/api/v1/models/${repo.owner}/${repo.repo}/repo`;
  const revision = encodeURIComponent(commit);
  const url = `${base}/files?Revision=${revision}&Recursive=true`;
  const parsed = modelScopeAnswer.safeParse(await web.json(url));
  if (!parsed.success) throw badAnswer(url, 'is not a list of files');
  const files = parsed.data.Data.Files.filter(({ Type }) => Type === 'blob').flatMap(
    ({ Path: name, Size: sizeBytes, Sha256: hex }) => {
      if (hex === undefined || !/^[0-9a-f]{64}$/.test(hex)) return [];
      const from = `${base}?Revision=${revision}&FilePath=${encodeURIComponent(name)}`;
      return [{ name, sizeBytes, digest: { algorithm: 'sha256' as const, hex }, url: from }];
    },
  );
  return { repo, commit, files };
}
