/** `eval run` against a server with limits: its requests, its messages, its files and the report. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { cli } from '../../cli/memory-terminal.ts';
import { scriptedLibrary } from '../../cli/scripted-model.ts';
import { completion, type Fault, limitedServer } from './limited-server.ts';

const pixels = createHash('shake256', { outputLength: 900 * 300 * 3 })
  .update('noise')
  .digest();
const large = await sharp(pixels, { raw: { width: 900, height: 300, channels: 3 } })
  .png()
  .toBuffer();
const small = readFileSync(new URL('../../fixtures/images/tiny.png', import.meta.url));

/** Questions about the small image; the last is about the large one. */
function makeData(count: number, header = 'index', indexOf = (i: number) => String(i)) {
  const folder = mkdtempSync(path.join(tmpdir(), 'limits-'));
  const data = path.join(folder, 'data.tsv');
  const rows = Array.from({ length: count }, (_, i) => {
    const image = i === count - 1 ? large : small;
    return [indexOf(i), image.toString('base64'), `question ${i}`, `answer ${i}`];
  });
  const table = [[header, 'image', 'question', 'answer'], ...rows];
  writeFileSync(data, table.map((row) => `${row.join('\t')}\n`).join(''));
  return { data, folder, output: path.join(folder, 'out.jsonl') };
}

interface Run {
  data: string;
  output: string;
}

function run({ data, output }: Run, url: string, more: string[] = [], env: Record<string, string> = {}) {
  const argv = ['eval', 'run', 'docvqa', data, '--endpoint', url, '--api-model', 'm', '--output', output];
  return cli([...argv, ...more], scriptedLibrary().library, { env });
}

const resultsOf = ({ output }: Run) =>
  JSON.parse(readFileSync(output.replace('.jsonl', '.results.json'), 'utf8'));

test('images are re-encoded to fit, and the run and its results have their number', async () => {
  await using server = await limitedServer({ maxImageBytes: 100_000, maxImageSide: 512 });
  const files = makeData(3);
  const refused = await run(files, server.url);
  expect(refused.err).toMatch(/2: http.* does not take this question: status 413.*use --max-image-bytes/);
  const limits = ['--max-image-bytes', '100000', '--max-image-side', '512'];
  const other = await run(files, server.url, limits);
  expect([other.exitCode, other.err]).toEqual([
    2,
    expect.stringContaining('model.imageLimits was not there and is {"maxBytes":100000,"maxSide":512}'),
  ]);
  const fresh = { ...files, output: path.join(files.folder, 'fresh.jsonl') };
  const done = await run(fresh, server.url, limits);
  expect(done.exitCode).toBe(0);
  expect(done.err).toContain('1 image re-encoded to fit the limits of the server');
  expect(done.out).toContain('1 images were re-encoded');
  const image = server.arrivals.at(-1)!.image!;
  expect([image.width, image.height, image.bytes <= 100_000]).toEqual([512, 171, true]);
  expect(resultsOf(fresh)).toMatchObject({
    questions: 3,
    reencodedImages: 1,
    settings: { model: { imageLimits: { maxBytes: 100_000, maxSide: 512 } } },
  });
  const again = await run(fresh, server.url, limits);
  expect(again.out).toContain('1 images were re-encoded');
});

test('refusals are counted beside the score, are final, and are in the report', async () => {
  const refusal: Fault = { body: completion({ content: null, refusal: 'I cannot help with that.' }) };
  await using server = await limitedServer({
    fault: (prompt) => (prompt.startsWith('question 1') ? refusal : undefined),
  });
  const files = makeData(4);
  const done = await run(files, server.url);
  expect(done.exitCode).toBe(0);
  expect(done.err).toContain('4 of 4 questions have an answer');
  expect(done.err).toContain('1 refused by the server');
  expect(done.out).toContain('docvqa (official)  75\n');
  expect(done.out).toContain('4 questions, 0 undecided, 0 empty, 0 broken');
  expect(done.out).toContain('1 refused by the server: 75 with them as wrong, 100 without them');
  const results = resultsOf(files);
  expect(results).toMatchObject({ score: 75, refused: 1, scoreOfAnswered: 100 });
  expect(results.rows[1]).toMatchObject({ id: '1', score: 0, refusal: 'I cannot help with that.' });
  expect((await run(files, server.url)).err).toContain('4 from before');
  expect(server.arrivals.length).toBe(4);

  const results1 = files.output.replace('.jsonl', '.results.json');
  const [html, markdown] = ['report.html', 'report.md'].map((name) => path.join(files.folder, name));
  await cli(['report', results1, '--html', html!, '--markdown', markdown!], scriptedLibrary().library);
  for (const file of [html!, markdown!]) {
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('1 refused: 100.0 without them');
    expect(text).toContain('refused: I cannot help with that.');
  }
});

test('a refused rotation of MMBench loses its question, and no judge is asked about it', async () => {
  const rows = [
    { index: 1, A: 'x', B: 'y', answer: 'A', prediction: 'A' },
    { index: 1_000_001, A: 'y', B: 'x', answer: 'B', prediction: '', run: { finishReason: 'refused' } },
    { index: 2, A: 'x', B: 'y', answer: 'A', prediction: 'A' },
  ];
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'refused-')), 'rows.json');
  writeFileSync(file, JSON.stringify(rows));
  const { out } = await cli(['eval', 'score', 'mmbench', file], scriptedLibrary().library);
  expect(out).toContain('mmbench (official)  50\n');
  expect(out).toContain('2 questions, 0 undecided, 0 empty, 0 broken');
  expect(out).toContain('1 refused by the server: 50 with them as wrong, 100 without them');
});

test('requests and tokens of unanswered questions are estimated before the first request', async () => {
  await using server = await limitedServer({});
  const files = makeData(3);
  const more = ['--max-tokens', '10', '--limit', '2', '--rpm', '600'];
  const first = await run(files, server.url, more);
  const { width, height } = await sharp(small).metadata();
  expect(Math.max(width, height)).toBeLessThan(512);
  // "question 0" and the instruction have 61 characters; a small image is 85 + 170 tokens.
  expect(first.err.split('\n')[0]).toBe(
    "cogvlm2: 2 requests, about 32 text tokens and 510 image tokens by OpenAI's formula; at most 20 output tokens; at least 100 ms with --rpm 600.",
  );
  // 900 x 300: 2 tiles.
  const rest = await run(files, server.url, ['--max-tokens', '10']);
  expect(rest.err).toContain("1 request, about 16 text tokens and 425 image tokens by OpenAI's formula");
  const none = await run(files, server.url, ['--max-tokens', '10']);
  expect(none.err).toContain('no requests to http');
});

test('the estimate of many questions is from a sample', async () => {
  await using server = await limitedServer({});
  const { err } = await run(makeData(100), server.url, ['--parallel', '16']);
  expect(err).toContain('100 requests');
  expect(err).toContain('estimated from 32 of the questions');
  expect(server.arrivals.length).toBe(100);
});

test('parallel questions obey the limit of requests, and all get answers', async () => {
  await using server = await limitedServer({ rate: { requests: 3, periodMs: 1000, form: 'seconds' } });
  const done = await run(makeData(6), server.url, ['--parallel', '6', '--rpm', '150']);
  expect(done.err).toContain('6 of 6 questions have an answer');
  const [first, last] = [server.arrivals[0]!, server.arrivals.at(-1)!];
  // Five pauses of 400 ms. Network and load may shift an arrival, but not by this much.
  expect(last.atMs - first.atMs).toBeGreaterThan(1500);
});

test('a key is read from a file, and no file of the run has it', async () => {
  await using server = await limitedServer({
    fault: () => ({ status: 400, body: 'the key sk-from-a-file is fine, the request is not' }),
  });
  const files = makeData(1);
  const keyFile = path.join(files.folder, 'key');
  writeFileSync(keyFile, '# of the server\nsk-from-a-file\n');
  const { err } = await run(files, server.url, ['--endpoint-key-file', keyFile], {
    COGVLM2_API_KEY: 'sk-other',
  });
  expect(err).toContain('the key *** is fine');
  expect(readFileSync(files.output, 'utf8')).not.toContain('sk-from');
  writeFileSync(keyFile, 'one\ntwo\n');
  expect((await run(files, server.url, ['--endpoint-key-file', keyFile])).err).toContain(
    'has 2 keys; 1 is needed',
  );
});

test('limits of a server are refused for a model on this machine', async () => {
  const { data } = makeData(1);
  const argv = ['eval', 'run', 'docvqa', data, '--rpm', '5'];
  expect(await cli(argv, scriptedLibrary().library)).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining('--rpm is a limit of a server: give --endpoint URL as well'),
  });
});
