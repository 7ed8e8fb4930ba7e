/** A local server with the APIs of Hugging Face and ModelScope, which fails on request. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { PullOptions } from '../../src/hub/pull-options.ts';

export const FILES: Record<string, Buffer> = {
  'config.json': Buffer.from('{"architectures":["CogVLMForCausalLM"]}'),
  'tokenizer.json': Buffer.from('{}'),
  'model.safetensors.index.json': Buffer.from(
    JSON.stringify({
      weight_map: {
        'a.weight': 'model-00001-of-00002.safetensors',
        'b.weight': 'model-00002-of-00002.safetensors',
      },
    }),
  ),
  'model-00001-of-00002.safetensors': bytes(300_000, 1),
  'model-00002-of-00002.safetensors': bytes(200_000, 2),
  'modeling_cogvlm.py': Buffer.from('print()'),
};
/** The repository of Vicuna, with the files that a pull needs. */
const VICUNA: Record<string, Buffer> = {
  'tokenizer.model': Buffer.from('a tokenizer'),
  'tokenizer_config.json': Buffer.from('{}'),
  'config.json': Buffer.from('{}'),
  'pytorch_model-00001-of-00002.bin': bytes(1_000, 3),
};
export const BIG = 'model-00001-of-00002.safetensors';

export interface Asked {
  file: string;
  range: string | undefined;
  token: string | undefined;
}

/** Answers the n-th request for a file; false: the normal answer. */
export type Trouble = (asked: Asked, content: Buffer, response: ServerResponse, nth: number) => boolean;

export class Source implements AsyncDisposable {
  /** The target folder of pulls. */
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'pull-'));
  readonly asked: Asked[] = [];
  trouble: Trouble = () => false;
  readonly #server: Server;
  readonly #protocol: 'http' | 'https';
  /** Changes the list of Hugging Face. */
  changeListing: (listing: HubListing) => object = (listing) => listing;
  readonly #files: Record<string, Buffer>;

  private constructor(files: Record<string, Buffer>, tls?: ServerOptions) {
    this.#files = files;
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response);
    this.#protocol = tls === undefined ? 'http' : 'https';
    this.#server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  }

  /** @param tls a key and a certificate for 127.0.0.1 */
  static async open(files = FILES, tls?: ServerOptions): Promise<Source> {
    const source = new Source(files, tls);
    await new Promise<void>((done) => source.#server.listen(0, '127.0.0.1', done));
    return source;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#protocol}://127.0.0.1:${port}`;
  }

  /** The requests for one file. */
  of(file: string): Asked[] {
    return this.asked.filter((asked) => asked.file === file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
    rmSync(this.folder, { recursive: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.url);
    if (url.pathname.startsWith('/api/models/lmsys/vicuna-7b-v1.5/'))
      return void response.end(JSON.stringify(listing(VICUNA)));
    if (url.pathname.startsWith('/api/models/THUDM/'))
      return void response.end(JSON.stringify(this.changeListing(listing(this.#files))));
    if (/^\/api\/v1\/models\/ZhipuAI\/[^/]+\/repo\/files$/.test(url.pathname))
      return void response.end(JSON.stringify(modelScopeListing(this.#files)));
    const file = url.searchParams.get('FilePath') ?? url.pathname.split('/').at(-1) ?? '';
    const content = url.pathname.startsWith('/lmsys/') ? VICUNA[file] : this.#files[file];
    if (
      content === undefined ||
      !/^\/(THUDM|lmsys|elsewhere|api\/v1\/models\/ZhipuAI)\//.test(url.pathname)
    ) {
      response.statusCode = 404;
      return void response.end();
    }
    const asked = { file, range: request.headers.range, token: request.headers.authorization };
    this.asked.push(asked);
    if (this.trouble(asked, content, response, this.of(file).length)) return;
    response.end(rangeOf(asked, content, response));
  }
}

/** The requested bytes of the file, at most `limit`. Sets the headers. */
export function rangeOf(
  { range }: Asked,
  content: Buffer,
  response: ServerResponse,
  limit = Number.POSITIVE_INFINITY,
): Buffer {
  if (range === undefined) return content;
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  const from = Number(first);
  const end = Math.min(from + limit, last ? Number(last) + 1 : content.length);
  response.statusCode = 206;
  response.setHeader('content-range', `bytes ${from}-${end - 1}/${content.length}`);
  return content.subarray(from, end);
}

/** The options of a pull from this source into its folder. */
export function pullOptions({ url, folder }: Source, more: Partial<PullOptions> = {}): PullOptions {
  return {
    source: 'auto',
    parallel: 2,
    offline: false,
    env: { HF_HOME: folder, HF_ENDPOINT: url, HF_TOKEN: 'secret', HOME: folder },
    signal: new AbortController().signal,
    stallMs: 5_000,
    pauseMs: () => 1,
    onProgress: () => {},
    onFile: () => {},
    onPause: () => {},
    ...more,
  };
}

interface HubListing {
  sha: string;
  siblings: { rfilename: string; size: number; blobId?: string; lfs?: { sha256: string; size: number } }[];
}

function listing(files: Record<string, Buffer>): HubListing {
  const siblings = Object.entries(files).map(([rfilename, content]) => {
    if (!rfilename.endsWith('.safetensors')) {
      const blobId = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
      return { rfilename, size: content.length, blobId };
    }
    return { rfilename, size: content.length, lfs: { sha256: sha256(content), size: content.length } };
  });
  return { sha: 'abc123', siblings };
}

function modelScopeListing(files: Record<string, Buffer>) {
  const blobs = Object.entries(files).map(([Path, content]) => ({
    Path,
    Type: 'blob',
    Size: content.length,
    Sha256: sha256(content),
  }));
  return { Code: 200, Data: { Files: [{ Path: 'assets', Type: 'tree', Size: 0 }, ...blobs] } };
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function bytes(count: number, seed: number): Buffer {
  const out = Buffer.alloc(count);
  for (let i = 0, state = seed; i < count; i++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    out[i] = state >> 16;
  }
  return out;
}
