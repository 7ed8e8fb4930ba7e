import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockSystemFile } from '../../src/files/lock.ts';
import { lackingFiles } from '../../src/hub/needed-files.ts';
import { pull } from '../../src/hub/pull.ts';
import type { PullOptions, PullProgress } from '../../src/hub/pull-options.ts';
import { BIG, FILES, pullOptions, Source, sha256 } from './source.ts';

const NAME = 'hf:THUDM/cogvlm2-llama3-chat-19B';
let source: Source;
let verified: string[];

beforeEach(async () => {
  source = await Source.open();
  verified = [];
});
afterEach(() => source[Symbol.asyncDispose]());

const options = (more: Partial<PullOptions> = {}) =>
  pullOptions(source, { onFile: (name) => verified.push(name), ...more });

const repo = () => path.join(source.folder, 'hub', 'models--THUDM--cogvlm2-llama3-chat-19B');
/** Compared as hashes, because vitest takes seconds to compare long buffers. */
const big = () => sha256(readFileSync(path.join(repo(), 'snapshots', 'abc123', BIG)));
const WHOLE = sha256(FILES[BIG] ?? Buffer.of());

describe('a pull', () => {
  it('fills the cache of Hugging Face with verified files, and no code', async () => {
    const reports: PullProgress[] = [];
    const pulled = await pull(NAME, options({ onProgress: (report) => reports.push(report) }));
    expect(pulled.modelPath).toBe(path.join(repo(), 'snapshots', 'abc123'));
    expect(readdirSync(pulled.modelPath).sort()).toEqual(
      Object.keys(FILES)
        .filter((f) => !f.endsWith('.py'))
        .sort(),
    );
    for (const name of readdirSync(pulled.modelPath)) {
      expect(sha256(readFileSync(path.join(pulled.modelPath, name)))).toBe(
        sha256(FILES[name] ?? Buffer.of()),
      );
    }
    expect(readlinkSync(path.join(pulled.modelPath, BIG))).toMatch(/^\.\.[\\/]\.\.[\\/]blobs/);
    expect(readFileSync(path.join(repo(), 'refs', 'main'), 'utf8')).toBe('abc123');
    expect(reports.at(-1)).toMatchObject({ done: pulled.sizeBytes, total: pulled.sizeBytes });
    expect(verified).toHaveLength(5);
  });

  it('fetches the tokenizer of Vicuna for a CogVLM 1, once', async () => {
    const { 'tokenizer.json': _, ...files } = FILES;
    files['config.json'] = Buffer.from('{"architectures":["CogVLMForCausalLM"],"vocab_size":32000}');
    await using own = await Source.open(files);
    const pulled = await pull('cogvlm-chat-hf', pullOptions(own));
    const snapshot = path.join(own.folder, 'hub', 'models--lmsys--vicuna-7b-v1.5', 'snapshots', 'abc123');
    expect(readdirSync(snapshot).sort()).toEqual(['tokenizer.model', 'tokenizer_config.json']);
    expect(lackingFiles(pulled.modelPath, { HF_HOME: own.folder })).toEqual([]);
    expect(lackingFiles(pulled.modelPath, { HF_HOME: source.folder })).toEqual([
      "tokenizer.model (Vicuna's)",
    ]);
    const before = own.asked.length;
    await pull('cogvlm-chat-hf', pullOptions(own));
    expect(own.asked).toHaveLength(before);
  });

  it('refuses a model without a tokenizer that is not CogVLM 1', async () => {
    const { 'tokenizer.json': _, ...files } = FILES;
    await using own = await Source.open(files);
    await expect(pull(NAME, pullOptions(own))).rejects.toThrow('has no tokenizer.json');
  });

  it('fetches nothing again', async () => {
    await pull(NAME, options());
    const before = source.asked.length;
    await pull(NAME, options());
    expect(source.asked).toHaveLength(before);
  });

  it('resumes after each cut connection', async () => {
    source.trouble = (asked, content, response, nth) => {
      if (asked.file !== BIG || nth > 3) return false;
      const from = Number(asked.range?.slice(6, -1) ?? 0);
      if (from > 0) {
        response.statusCode = 206;
        response.setHeader('content-range', `bytes ${from}-${content.length - 1}/${content.length}`);
      }
      response.write(content.subarray(from, from + 70_000), () => response.destroy());
      return true;
    };
    await pull(NAME, options());
    expect(big()).toBe(WHOLE);
    expect(source.of(BIG).map(({ range }) => range !== undefined)).toEqual([false, true, true, true]);
  });

  it('starts again if a server ignores ranges', async () => {
    source.trouble = (asked, content, response, nth) => {
      if (asked.file !== BIG) return false;
      if (nth === 1) response.write(content.subarray(0, 1000), () => response.destroy());
      else response.end(content);
      return true;
    };
    await pull(NAME, options());
    expect(big()).toBe(WHOLE);
  });

  it('fetches a corrupt file once more', async () => {
    source.trouble = (asked, content, response, nth) => {
      if (asked.file !== BIG || nth > 1) return false;
      response.end(Buffer.concat([content.subarray(0, -1), Buffer.of((content.at(-1) ?? 0) ^ 1)]));
      return true;
    };
    const positions: number[] = [];
    await pull(NAME, options({ onProgress: ({ file }) => file.name === BIG && positions.push(file.done) }));
    expect(big()).toBe(WHOLE);
    expect(source.of(BIG)).toHaveLength(2);
    // The whole file was corrupt, and was fetched again.
    const again = positions.indexOf(0, positions.indexOf(300_000));
    expect(positions.indexOf(300_000, again)).toBeGreaterThan(again);
    expect(again).toBeGreaterThan(0);
  });

  it('never gives a corrupt file its final name', async () => {
    source.trouble = (asked, content, response) => {
      if (asked.file === BIG) response.end(Buffer.alloc(content.length));
      return asked.file === BIG;
    };
    await expect(pull(NAME, options())).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('different hash'),
    });
    expect(existsSync(path.join(repo(), 'snapshots', 'abc123', BIG))).toBe(false);
    // It is not kept, because the next pull would verify it in vain.
    expect(statSync(path.join(repo(), 'blobs', `${WHOLE}.incomplete`)).size).toBe(0);
  });

  it('retries a connection without data', async () => {
    source.trouble = (asked, content, response, nth) => {
      if (asked.file !== BIG || nth > 1) return false;
      response.write(content.subarray(0, 50_000));
      return true;
    };
    await pull(NAME, options({ stallMs: 300 }));
    expect(big()).toBe(WHOLE);
    expect(source.of(BIG)).toHaveLength(2);
  });

  it('sends its token only to the source', async () => {
    await using mirror = await Source.open();
    source.trouble = (asked, _content, response) => {
      response.writeHead(302, { location: `${mirror.url}/elsewhere/${asked.file}` }).end();
      return true;
    };
    await pull(NAME, options());
    expect(source.of(BIG)[0]?.token).toBe('Bearer secret');
    expect(mirror.of(BIG)[0]?.token).toBeUndefined();
  });

  it('waits for Retry-After', async () => {
    source.trouble = (asked, _content, response, nth) => {
      if (asked.file !== BIG || nth > 1) return false;
      response.writeHead(429, { 'retry-after': '0' }).end();
      return true;
    };
    await pull(NAME, options());
    expect(big()).toBe(WHOLE);
  });

  it('reports the reason and the length of each wait', async () => {
    source.trouble = (asked, _content, response, nth) => {
      if (asked.file !== BIG || nth > 2) return false;
      response.writeHead(429, nth === 1 ? { 'retry-after': '0' } : {}).end();
      return true;
    };
    const pauses: [string, number][] = [];
    await pull(NAME, options({ onPause: (why, ms) => pauses.push([why, ms]) }));
    expect(pauses).toEqual([
      [expect.stringMatching(/answers with status 429$/), 0],
      [expect.stringMatching(/answers with status 429$/), 1],
    ]);
  });

  it('refuses compressed data at once', async () => {
    source.trouble = (asked, content, response) => {
      if (asked.file !== BIG) return false;
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(content);
      return true;
    };
    await expect(pull(NAME, options())).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('answers with compressed data (gzip)'),
    });
    expect(source.of(BIG)).toHaveLength(1);
  });

  it('does not follow a redirect to an invalid address', async () => {
    source.trouble = (_asked, _content, response) => {
      response.writeHead(302, { location: 'http://[' }).end();
      return true;
    };
    await expect(pull(NAME, options())).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('redirects to "http://["'),
    });
  });

  it('reports that a mirror lists no hashes', async () => {
    source.changeListing = ({ sha, siblings }) => ({
      sha,
      siblings: siblings.map(({ rfilename }) => ({ rfilename })),
    });
    await expect(pull(NAME, options({ source: 'huggingface' }))).rejects.toMatchObject({
      message: expect.stringMatching(/lists config\.json without a hash.*HF_ENDPOINT/),
    });
  });

  it('accepts hashes in capital letters', async () => {
    source.changeListing = (listing) =>
      JSON.parse(JSON.stringify(listing).replaceAll(/[0-9a-f]{64}/g, (hash) => hash.toUpperCase()));
    await pull(NAME, options({ source: 'huggingface' }));
    expect(big()).toBe(WHOLE);
  });

  it('names the proxy that does not answer', async () => {
    const { env } = options();
    await expect(
      pull(NAME, options({ env: { ...env, HTTP_PROXY: 'http://me:secret@127.0.0.1:9' } })),
    ).rejects.toMatchObject({ message: expect.stringMatching(/through the proxy 127\.0\.0\.1:9\)/) });
  });

  it.each(['.', 'hub', 'hub/models--THUDM--cogvlm2-llama3-chat-19B/snapshots'])(
    'reports that the cache cannot be used if "%s" is a file',
    async (name) => {
      const file = path.join(source.folder, 'home', name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, '');
      const { env } = options();
      await expect(
        pull(NAME, options({ env: { ...env, HF_HOME: path.join(source.folder, 'home') } })),
      ).rejects.toMatchObject({
        code: 'write_failed',
        message: expect.stringMatching(/models--THUDM.* cannot be used: .*set HF_HOME/),
      });
    },
  );

  it('keeps the received bytes at an abort, and the next pull resumes', async () => {
    const stop = new AbortController();
    source.trouble = (asked, content, response, nth) => {
      if (asked.file !== BIG || nth > 1) return false;
      response.write(content.subarray(0, 120_000));
      return true;
    };
    const onProgress = () => {
      const draft = path.join(repo(), 'blobs', `${WHOLE}.incomplete`);
      if (existsSync(draft) && statSync(draft).size === 120_000) stop.abort();
    };
    await expect(pull(NAME, options({ signal: stop.signal, onProgress }))).rejects.toMatchObject({
      code: 'aborted',
    });
    await pull(NAME, options());
    expect(source.of(BIG).at(-1)?.range).toBe('bytes=120000-');
    expect(big()).toBe(WHOLE);
  });

  it('reports the answer of every source', async () => {
    await expect(pull('hf:nobody/nothing', options())).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('does not have it (404)'),
    });
  });

  it('gets a model that Hugging Face does not have from ModelScope, verifies it, and sends no token', async () => {
    const { env } = options();
    const both = options({
      env: { ...env, HF_ENDPOINT: `${source.url}/empty`, MODELSCOPE_DOMAIN: source.url },
    });
    const { modelPath, title } = await pull('cogvlm2-llama3-chat-19B', both);
    const models = path.join(source.folder, '.cache', 'modelscope', 'hub', 'models');
    expect(modelPath).toBe(path.join(models, 'ZhipuAI', 'cogvlm2-llama3-chat-19B'));
    expect(title).toMatch(/at ModelScope$/);
    expect(sha256(readFileSync(path.join(modelPath, BIG)))).toBe(WHOLE);
    expect(readdirSync(modelPath)).not.toContain('modeling_cogvlm.py');
    expect(source.of(BIG).map(({ token }) => token)).toEqual([undefined]);
    // Only broken files are fetched again.
    writeFileSync(path.join(modelPath, BIG), Buffer.alloc(FILES[BIG]?.length ?? 0));
    source.asked.length = 0;
    await pull('cogvlm2-llama3-chat-19B', both);
    expect(source.asked.map(({ file }) => file)).toEqual([BIG]);
    expect(sha256(readFileSync(path.join(modelPath, BIG)))).toBe(WHOLE);
  });

  it('ends if another pull of the same model runs, but takes the lock of a dead one', async () => {
    const lockFile = path.join(
      source.folder,
      'hub',
      '.locks',
      'models--THUDM--cogvlm2-llama3-chat-19B',
      'pull.lock',
    );
    await pull(NAME, options());
    expect(existsSync(lockFile)).toBe(false);
    const lock = lockSystemFile(lockFile, '4711');
    await expect(pull(NAME, options())).rejects.toMatchObject({
      message: expect.stringContaining('Process 4711'),
    });
    lock?.release();
    // The files of a killed process.
    writeFileSync(lockFile, '4711');
    await pull(NAME, options());
  });

  it.each(['', 'x', 'hf:a', 'hf:../..', 'cogvlm2'])('refuses the name "%s"', async (name) => {
    await expect(pull(name, options())).rejects.toMatchObject({ code: 'invalid_value' });
  });
});
