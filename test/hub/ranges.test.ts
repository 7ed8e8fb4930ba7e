import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pull } from '../../src/hub/pull.ts';
import type { PullOptions, PullProgress } from '../../src/hub/pull-options.ts';
import { type Asked, BIG, FILES, pullOptions, rangeOf, Source, sha256 } from './source.ts';

const NAME = 'hf:THUDM/cogvlm2-llama3-chat-19B';
const CONTENT = FILES[BIG] ?? Buffer.of();
const PART = 2 ** 16;
const STARTS = [0, 1, 2, 3, 4].map((part) => part * PART);
let source: Source;

beforeEach(async () => {
  source = await Source.open();
});
afterEach(() => source[Symbol.asyncDispose]());

const options = (more: Partial<PullOptions> = {}) =>
  pullOptions(source, { parallel: 4, partBytes: PART, ...more });
const repo = () => path.join(source.folder, 'hub', 'models--THUDM--cogvlm2-llama3-chat-19B');
const draft = () => path.join(repo(), 'blobs', `${sha256(CONTENT)}.incomplete`);
const firstByte = ({ range }: Asked) => Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? -1);

const sum = (contents: Buffer[]) => contents.reduce((bytes, { length }) => bytes + length, 0);

async function expectWhole(more?: Partial<PullOptions>): Promise<void> {
  const { modelPath } = await pull(NAME, options(more));
  expect(sha256(readFileSync(path.join(modelPath, BIG)))).toBe(sha256(CONTENT));
}

/** Failures for the large file only. */
function trouble(answer: (asked: Asked, response: ServerResponse, nth: number) => boolean): void {
  source.trouble = (asked, _content, response, nth) => asked.file === BIG && answer(asked, response, nth);
}

describe('a large file', () => {
  it('is fetched in several parts at the same time, and written in order', async () => {
    const held: (() => void)[] = [];
    trouble((asked, response) => {
      held.push(() => response.end(rangeOf(asked, CONTENT, response)));
      // No request is answered before all parallel requests have come. Then the last one is answered first.
      if (held.length === 4) for (const send of held.splice(0).reverse()) send();
      else if (source.of(BIG).length > 4) held.pop()?.();
      return true;
    });
    const positions: number[] = [];
    await expectWhole({ onProgress: ({ done }) => positions.push(done) });
    expect(source.of(BIG).map(firstByte)).toEqual(STARTS);
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  });

  it('is in the progress with its name, including parts that wait in memory', async () => {
    const reports: PullProgress[] = [];
    await expectWhole({ onProgress: (report) => reports.push(report) });
    const total = sum(Object.values(FILES).slice(0, -1)); // All files except the code.
    const ofBig = reports.filter(({ file }) => file.name === BIG);
    expect(ofBig.length).toBeGreaterThan(5);
    for (const { stage, file, done, total: all } of ofBig) {
      expect({ stage, size: file.total, all }).toEqual({
        stage: 'download',
        size: CONTENT.length,
        all: total,
      });
      expect(file.done).toBeLessThanOrEqual(done);
    }
    expect(ofBig.at(-1)?.file.done).toBe(CONTENT.length);
    expect(reports.at(-1)?.done).toBe(total);
  });

  it('is fetched in one request if requests are not parallel', async () => {
    await expectWhole({ parallel: 1 });
    expect(source.of(BIG)).toMatchObject([{ range: undefined }]);
  });

  it('leaves a partial file that is its beginning, whichever parts were received', async () => {
    const stop = new AbortController();
    trouble((asked, response) => {
      const bytes = rangeOf(asked, CONTENT, response);
      if (firstByte(asked) > 0) response.end(bytes);
      else response.write(bytes.subarray(0, 1000)); // then no more bytes
      return true;
    });
    const onProgress = ({ file }: PullProgress) =>
      file.name === BIG && file.done >= 1000 + 3 * PART && stop.abort();
    await expect(pull(NAME, options({ signal: stop.signal, onProgress }))).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(readFileSync(draft()).equals(CONTENT.subarray(0, 1000))).toBe(true);
    source.trouble = () => false;
    source.asked.length = 0;
    await expectWhole();
    expect(source.of(BIG).map(firstByte)).toEqual(STARTS.map((start) => start + 1000));
  });

  it('continues the partial file of another tool', async () => {
    mkdirSync(path.dirname(draft()), { recursive: true });
    writeFileSync(draft(), CONTENT.subarray(0, 123_456));
    const reports: PullProgress[] = [];
    await expectWhole({ onProgress: (report) => reports.push(report) });
    expect(Math.min(...source.of(BIG).map(firstByte))).toBe(123_456);
    const ofBig = reports.filter(({ file }) => file.name === BIG);
    const came = ofBig.findIndex(({ stage }) => stage === 'download');
    // The progress counts existing bytes as verified, and the download begins after them.
    expect(ofBig[came - 1]).toMatchObject({ stage: 'verify', file: { done: 123_456 } });
    expect(ofBig[came]?.file.done).toBe(123_456);
    expect(ofBig.slice(came).every(({ stage }) => stage === 'download')).toBe(true);
  });

  it('resumes within each part whose connection was cut', async () => {
    trouble((asked, response, nth) => {
      if (nth > 12) return false;
      response.write(rangeOf(asked, CONTENT, response).subarray(0, 9_999), () => response.destroy());
      return true;
    });
    await expectWhole();
  });

  it('accepts fewer bytes than requested', async () => {
    trouble((asked, response) => {
      response.end(rangeOf(asked, CONTENT, response, 20_000));
      return true;
    });
    await expectWhole();
  });

  it('is fetched in one stream from a server that ignores ranges', async () => {
    trouble((_asked, response) => {
      response.end(CONTENT);
      return true;
    });
    await expectWhole();
    expect(source.of(BIG).at(-1)?.range).toBeUndefined();
  });

  it.each([
    [
      'ignores ranges sometimes',
      (asked: Asked, response: ServerResponse, nth: number) => {
        response.end(nth === 3 ? CONTENT : rangeOf(asked, CONTENT, response));
      },
    ],
    [
      'sends other parts than requested',
      (asked: Asked, response: ServerResponse) => {
        response.end(rangeOf({ ...asked, range: asked.range?.replace(/-\d+$/, '-') }, CONTENT, response));
      },
    ],
    [
      'sends more bytes than it declares',
      (asked: Asked, response: ServerResponse) => {
        response.write(rangeOf(asked, CONTENT, response));
        response.end(asked.range?.endsWith('-') === false ? 'more' : '');
      },
    ],
  ])('continues in one stream if a server %s', async (_what, answer) => {
    trouble((asked, response, nth) => {
      answer(asked, response, nth);
      return true;
    });
    await expectWhole();
    expect(String(source.of(BIG).at(-1)?.range)).toMatch(/-$|^undefined$/);
  });

  it('starts again if it changes during the download', async () => {
    const old = Buffer.alloc(CONTENT.length);
    trouble((asked, response, nth) => {
      response.setHeader('etag', nth < 3 ? '"old"' : '"new"');
      response.end(rangeOf(asked, nth < 3 ? old : CONTENT, response));
      return true;
    });
    const positions: number[] = [];
    await expectWhole({ onProgress: ({ file }) => file.name === BIG && positions.push(file.done) });
    expect(source.of(BIG).at(-1)?.range).toBeUndefined();
    expect(positions.some((position, i) => position < (positions[i - 1] ?? 0))).toBe(true); // The progress goes back.
    expect(positions.at(-1)).toBe(CONTENT.length);
  });

  it('is fetched from signed addresses that expire during the download', async () => {
    await using mirror = await Source.open();
    let signed = 0;
    let uses = 0;
    trouble((_asked, response) => {
      uses = 0;
      response.writeHead(302, { location: `${mirror.url}/elsewhere/${BIG}?signature=${++signed}` }).end();
      return true;
    });
    mirror.trouble = (_asked, _content, response) => {
      if (++uses <= 2) return false;
      response.writeHead(403).end();
      return true;
    };
    await expectWhole({ parallel: 2 });
    expect(signed).toBeGreaterThan(1);
    expect(signed).toBeLessThan(mirror.of(BIG).length); // An address is used until it expires.
  });

  it('ends the pull at once if it is refused', async () => {
    trouble((_asked, response, nth) => {
      if (nth === 3) response.writeHead(401).end();
      return true; // The other requests get no answer.
    });
    await expect(pull(NAME, options())).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('HF_TOKEN'),
    });
  });
});
