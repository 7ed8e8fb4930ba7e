/** ModelScope: one request tells every file with its size and sha256. */
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { badAnswer } from './failure.ts';
import type { Listing } from './listing.ts';
import type { RepoName } from './names.ts';
import type { Web } from './web.ts';

const answer = z.object({
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
    `MODELSCOPE_DOMAIN is "${domain}", but the name of a host is needed, such as www.modelscope.cn.`,
  );
}

export async function listModelScope(repo: RepoName, endpoint: string, web: Web): Promise<Listing> {
  const commit = repo.revision ?? 'master';
  const base = `${endpoint}/api/v1/models/${repo.owner}/${repo.repo}/repo`;
  const revision = encodeURIComponent(commit);
  const url = `${base}/files?Revision=${revision}&Recursive=true`;
  const parsed = answer.safeParse(await web.json(url));
  if (!parsed.success) throw badAnswer(url, 'is no list of files');
  const files = parsed.data.Data.Files.filter(({ Type }) => Type === 'blob').flatMap(
    ({ Path: name, Size: sizeBytes, Sha256: hex }) => {
      if (hex === undefined || !/^[0-9a-f]{64}$/.test(hex)) return [];
      const from = `${base}?Revision=${revision}&FilePath=${encodeURIComponent(name)}`;
      return [{ name, sizeBytes, digest: { algorithm: 'sha256' as const, hex }, url: from }];
    },
  );
  return { repo, commit, files };
}
