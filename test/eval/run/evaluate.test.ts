/** Runs with a local server: stored answers, repeated questions, and the file after a kill. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { cli } from '../../cli/memory-terminal.ts';
import { scriptedLibrary } from '../../cli/scripted-model.ts';
import { chatServer } from '../chat-server.ts';

const base64 = readFileSync(new URL('../../fixtures/images/tiny.png', import.meta.url)).toString('base64');

function makeData(count: number, more: string[][] = []) {
  const folder = mkdtempSync(path.join(tmpdir(), 'run-'));
  const data = path.join(folder, 'data.tsv');
  const rows = Array.from({ length: count }, (_, i) => [`${i}`, base64, `question ${i}`, `['answer ${i}']`]);
  const table = [['index', 'image', 'question', 'answer'], ...rows, ...more];
  writeFileSync(data, table.map((row) => `${row.join('\t')}\n`).join(''));
  return { data, output: path.join(folder, 'out.jsonl'), folder };
}

const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

const numberIn = (prompt: string) => /question (\d+)/.exec(prompt)![1];

function argvOf(data: string, output: string, url: string): string[] {
  return ['eval', 'run', 'docvqa', data, '--endpoint', url, '--api-model', 'm', '--output', output];
}

async function run(data: string, output: string, url: string, ...more: string[]) {
  return cli([...argvOf(data, output, url), ...more], scriptedLibrary().library);
}

test('answers are stored with their rows, scored, and not requested again', async () => {
  await using server = await chatServer((prompt) => ` answer ${numberIn(prompt)}<|end_of_text|>x`);
  const { data, output, folder } = makeData(3);
  const first = await run(data, output, server.url, '--parallel', '2', '--limit', '2');
  expect(first).toMatchObject({ exitCode: 0, out: expect.stringContaining('docvqa (official)  100') });
  const [header, ...rows] = linesOf(output);
  expect(header).toMatchObject({
    kind: 'cogvlm2-predictions',
    settings: { benchmark: 'docvqa', model: { kind: 'endpoint', name: 'm' }, temperature: 0 },
  });
  expect(rows.sort((a, b) => a.run.row - b.run.row)).toMatchObject([
    { id: '0', question: 'question 0', answer: "['answer 0']", prediction: 'answer 0', run: { row: 0 } },
    { id: '1', prediction: 'answer 1', run: { row: 1, finishReason: 'stop', completionTokens: 3 } },
  ]);
  expect(rows[0]).not.toHaveProperty('image');
  expect((await run(data, output, server.url)).err).toContain('3 of 3 questions have an answer');
  expect(server.requests.length).toBe(3);
  const content = server.requests[0]!.messages[0]!.content as { image_url?: { url: string } }[];
  expect(content[0]!.image_url!.url).toBe(`data:image/png;base64,${base64}`);
  const results = JSON.parse(readFileSync(path.join(folder, 'out.results.json'), 'utf8'));
  expect(results).toMatchObject({
    score: 100,
    questions: 3,
    rows: [{ id: '0', answers: ['answer 0'], score: 1 }, {}, {}],
  });
});

test('other settings are refused with both values, and the file does not change', async () => {
  await using server = await chatServer(() => 'x');
  const { data, output } = makeData(1);
  await run(data, output, server.url);
  const before = readFileSync(output, 'utf8');
  const { exitCode, err } = await run(
    data,
    output,
    server.url,
    '--temperature',
    '0.5',
    '--profile',
    'vlmevalkit',
  );
  expect(exitCode).toBe(2);
  expect(err).toContain('profile was "official" and is "vlmevalkit"; temperature was 0 and is 0.5');
  writeFileSync(data, readFileSync(data, 'utf8').replace('question 0', 'question 9'));
  expect((await run(data, output, server.url)).err).toContain('data.fingerprint was');
  expect(readFileSync(output, 'utf8')).toBe(before);
});

test('a question that the server rejects fails alone, and the next run asks it again', async () => {
  let refuses = true;
  await using server = await chatServer((prompt) => (refuses && numberIn(prompt) === '1' ? 400 : 'x'));
  const { data, output } = makeData(3, [['3', '', 'question 3', 'x']]);
  const { err, out } = await run(data, output, server.url);
  expect(err).toContain('1: http');
  expect(err).toContain('3: The row has no image.');
  expect(err).toContain('2 of 4 questions have an answer');
  expect(out).toContain('2 questions, 0 undecided, 0 empty, 2 broken');
  refuses = false;
  expect((await run(data, output, server.url)).err).toContain('3 of 4 questions');
  const scored = await cli(['eval', 'score', 'docvqa', output], scriptedLibrary().library);
  expect(scored.out).toContain('3 questions, 0 undecided, 0 empty, 1 broken');
});

test('a server that fails for every question ends the run, and the answers so far are kept', async () => {
  await using server = await chatServer((_, __, asked) => (asked > 2 ? 401 : 'x'));
  const { data, output } = makeData(5);
  const { exitCode, err } = await run(data, output, server.url);
  expect([exitCode, err]).toEqual([3, expect.stringMatching(/does not answer: status 401/)]);
  expect(linesOf(output).length).toBe(3);
});

test('the key is sent to the server, but the key of OpenAI is not', async () => {
  await using server = await chatServer(() => 'x');
  const { data, output } = makeData(2);
  const argv = argvOf(data, output, server.url);
  await cli([...argv, '--limit', '1'], scriptedLibrary().library, { env: { OPENAI_API_KEY: 'other' } });
  await cli(argv, scriptedLibrary().library, { env: { COGVLM2_API_KEY: 'mine' } });
  expect(server.authorizations).toEqual([undefined, 'Bearer mine']);
});

test('the merged parts of several machines equal the file of one machine', async () => {
  await using server = await chatServer((prompt) => `answer ${numberIn(prompt)}`);
  const { data, folder } = makeData(7);
  const parts = [1, 2, 3].map((i) => path.join(folder, `part${i}.jsonl`));
  for (const [i, part] of parts.entries()) await run(data, part, server.url, '--shard', `${i + 1}/3`);
  const whole = path.join(folder, 'whole.jsonl');
  const merge = (...files: string[]) =>
    cli(['eval', 'merge', ...files, '-o', whole], scriptedLibrary().library);
  expect(await merge(parts[2]!, parts[0]!)).toMatchObject({
    exitCode: 3,
    err: expect.stringContaining('2 of 3'),
  });
  expect(await merge(...parts.reverse())).toMatchObject({
    exitCode: 0,
    out: expect.stringContaining('7 answers'),
  });
  expect(
    linesOf(whole)
      .slice(1)
      .map(({ id }) => id),
  ).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  expect((await run(data, whole, server.url)).err).toContain('7 from before');
  await run(data, path.join(folder, 'other.jsonl'), server.url, '--temperature', '1', '--shard', '1/3');
  const mixed = await merge(parts[0]!, path.join(folder, 'other.jsonl'));
  expect(mixed).toMatchObject({ exitCode: 2, err: expect.stringContaining('temperature was 0 and is 1') });
});

const program = new URL('../../../dist/cli/main.js', import.meta.url).pathname;

describe.skipIf(!existsSync(program))('killed (needs dist: npm run build)', () => {
  test('at random moments, a run resumes without lost or duplicate answers', async () => {
    await using server = await chatServer(async (prompt) => {
      await sleep(3);
      return `answer ${numberIn(prompt)}`;
    });
    const count = 120;
    const { data, output } = makeData(count);
    const argv = [program, 'eval', 'run', 'docvqa', data, '--endpoint', server.url, '--api-model', 'm'];
    const start = () =>
      spawn(process.execPath, [...argv, '--output', output, '--parallel', '4', '-q'], { stdio: 'ignore' });
    const sizeNow = () => (existsSync(output) ? readFileSync(output).length : 0);
    const kills = 3;
    let asked = 0;
    for (let kill = 0; kill < kills; kill++) {
      const child = start();
      const exited = new Promise((resolve) => child.once('exit', resolve));
      const until = sizeNow() + 200 + Math.floor(Math.random() * 4000);
      while (sizeNow() < until && child.exitCode === null) await sleep(1);
      child.kill('SIGKILL');
      await exited;
      asked = server.requests.length;
    }
    const last = start();
    expect(await new Promise((resolve) => last.once('exit', resolve))).toBe(0);
    const [, ...rows] = linesOf(output);
    expect(rows.map(({ run }) => run.row).sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
    expect(rows.every(({ id, prediction }) => prediction === `answer ${id}`)).toBe(true);
    expect(asked).toBeGreaterThan(0);
    expect(server.requests.length).toBeLessThanOrEqual(count + kills * 4);
  });
});
