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

/** Trouble with the big file only. */
function trouble(answer: (asked: Asked, response: ServerResponse, nth: number) => boolean): void {
  source.trouble = (asked, _content, response, nth) => asked.file === BIG && answer(asked, response, nth);
}

describe('a large file', () => {
  it('comes in parts, several at the same time, and arrives in order', async () => {
    const held: (() => void)[] = [];
    trouble((asked, response) => {
      held.push(() => response.end(rangeOf(asked, CONTENT, response)));
      // Nobody gets anything before there are as many requests as may be; then the last comes first.
      if (held.length === 4) for (const send of held.splice(0).reverse()) send();
      else if (source.of(BIG).length > 4) held.pop()?.();
      return true;
    });
    const positions: number[] = [];
    await expectWhole({ onProgress: ({ done }) => positions.push(done) });
    expect(source.of(BIG).map(firstByte)).toEqual(STARTS);
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  });

  it('is told of by its name, with what waits in memory, beside all files', async () => {
    const reports: PullProgress[] = [];
    await expectWhole({ onProgress: (report) => reports.push(report) });
    const total = sum(Object.values(FILES).slice(0, -1)); // All but the code.
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

  it('comes in one piece where one request at a time may be', async () => {
    await expectWhole({ parallel: 1 });
    expect(source.of(BIG)).toMatchObject([{ range: undefined }]);
  });

  it('leaves a draft that is its beginning, whichever parts came', async () => {
    const stop = new AbortController();
    trouble((asked, response) => {
      const bytes = rangeOf(asked, CONTENT, response);
      if (firstByte(asked) > 0) response.end(bytes);
      else response.write(bytes.subarray(0, 1000)); // and then nothing
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

  it('goes on with what another tool left', async () => {
    mkdirSync(path.dirname(draft()), { recursive: true });
    writeFileSync(draft(), CONTENT.subarray(0, 123_456));
    const reports: PullProgress[] = [];
    await expectWhole({ onProgress: (report) => reports.push(report) });
    expect(Math.min(...source.of(BIG).map(firstByte))).toBe(123_456);
    const ofBig = reports.filter(({ file }) => file.name === BIG);
    const came = ofBig.findIndex(({ stage }) => stage === 'download');
    // All that was left is told of as verified, and downloading begins where it ends.
    expect(ofBig[came - 1]).toMatchObject({ stage: 'verify', file: { done: 123_456 } });
    expect(ofBig[came]?.file.done).toBe(123_456);
    expect(ofBig.slice(came).every(({ stage }) => stage === 'download')).toBe(true);
  });

  it('goes on within each part whose connection is cut', async () => {
    trouble((asked, response, nth) => {
      if (nth > 12) return false;
      response.write(rangeOf(asked, CONTENT, response).subarray(0, 9_999), () => response.destroy());
      return true;
    });
    await expectWhole();
  });

  it('takes less than it asked for', async () => {
    trouble((asked, response) => {
      response.end(rangeOf(asked, CONTENT, response, 20_000));
      return true;
    });
    await expectWhole();
  });

  it('comes in one stream from a server that ignores ranges', async () => {
    trouble((_asked, response) => {
      response.end(CONTENT);
      return true;
    });
    await expectWhole();
    expect(source.of(BIG).at(-1)?.range).toBeUndefined();
  });

  it.each([
    [
      'ignores ranges now and then',
      (asked: Asked, response: ServerResponse, nth: number) => {
        response.end(nth === 3 ? CONTENT : rangeOf(asked, CONTENT, response));
      },
    ],
    [
      'sends other parts than were asked for',
      (asked: Asked, response: ServerResponse) => {
        response.end(rangeOf({ ...asked, range: asked.range?.replace(/-\d+$/, '-') }, CONTENT, response));
      },
    ],
    [
      'sends more than it says',
      (asked: Asked, response: ServerResponse) => {
        response.write(rangeOf(asked, CONTENT, response));
        response.end(asked.range?.endsWith('-') === false ? 'more' : '');
      },
    ],
  ])('goes on in one stream where a server %s', async (_what, answer) => {
    trouble((asked, response, nth) => {
      answer(asked, response, nth);
      return true;
    });
    await expectWhole();
    expect(String(source.of(BIG).at(-1)?.range)).toMatch(/-$|^undefined$/);
  });

  it('begins again when it changes on the way', async () => {
    const old = Buffer.alloc(CONTENT.length);
    trouble((asked, response, nth) => {
      response.setHeader('etag', nth < 3 ? '"old"' : '"new"');
      response.end(rangeOf(asked, nth < 3 ? old : CONTENT, response));
      return true;
    });
    const positions: number[] = [];
    await expectWhole({ onProgress: ({ file }) => file.name === BIG && positions.push(file.done) });
    expect(source.of(BIG).at(-1)?.range).toBeUndefined();
    expect(positions.some((position, i) => position < (positions[i - 1] ?? 0))).toBe(true); // It is told of.
    expect(positions.at(-1)).toBe(CONTENT.length);
  });

  it('arrives from signed addresses that expire on the way', async () => {
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
    expect(signed).toBeLessThan(mirror.of(BIG).length); // An address is used as long as it serves.
  });

  it('that cannot be had ends the pull at once', async () => {
    trouble((_asked, response, nth) => {
      if (nth === 3) response.writeHead(401).end();
      return true; // The others hang.
    });
    await expect(pull(NAME, options())).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('HF_TOKEN'),
    });
  });
});
