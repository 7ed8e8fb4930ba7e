/** Judges: their prompts, how replies are parsed, what is stored, and which answers need no judge. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { mmvetPrompt, optionPrompt } from '../../../src/eval/score/judge-prompts.ts';
import { cli } from '../../cli/memory-terminal.ts';
import { scriptedLibrary } from '../../cli/scripted-model.ts';
import { type Answers, chatServer, promptOf } from '../chat-server.ts';
import { readCases } from './cases.ts';

const prompts = readCases('mmvet').filter(({ kind }) => kind === 'prompt');

test.each(prompts)('the whole prompt of $id equals the reference', ({ expected, expected_by }) => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  expect(sha256(mmvetPrompt(expected, 'official'))).toBe(expected_by.official_sha256);
  expect(sha256(mmvetPrompt(expected, 'vlmevalkit'))).toBe(expected_by.vlmevalkit_sha256);
});

test('options are matched in the language of the question', () => {
  const choices = new Map([
    ['A', 'x'],
    ['B', 'y'],
  ]);
  expect(optionPrompt('What', choices, 'p')).toMatch(
    /^You are an AI .*Question: What\?\nOptions: There are several options: \nA\. x\nB\. y\n\nAnswer: p\nYour output: $/s,
  );
  expect(optionPrompt('什么', choices, 'p')).toMatch(
    /^你是一个.*问题: 什么\?\n选项: There are .*答案: p\n输出: $/s,
  );
});

async function score(benchmark: string, rows: object[], answers: Answers, ...more: string[]) {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'judge-')), 'predictions.json');
  writeFileSync(file, JSON.stringify(rows));
  await using server = await chatServer(answers);
  const judge = ['--judge', server.url, '--judge-model', 'j'];
  const again = () =>
    cli(['eval', 'score', benchmark, file, '--json', ...judge, ...more], scriptedLibrary().library);
  const first = await again();
  const asked = server.requests.length;
  const second = await again();
  expect(second).toEqual(first);
  expect(server.requests.length).toBe(asked);
  const lines = first.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { lines, requests: server.requests, kept: readFileSync(`${file}.judge.jsonl`, 'utf8') };
}

const mmvetRow = { id: 'v1_0', question: 'q', answer: 'lamp', prediction: 'a lamp', capability: ['rec'] };

test('MM-Vet: after an unusable reply, the judge gets a clearer prompt and a higher temperature; replies are stored', async () => {
  const replies = ['about half', '0.7'];
  const { lines, requests, kept } = await score('mmvet', [mmvetRow], (_, __, asked) => replies[asked - 1]!);
  expect(lines).toEqual([{ id: 'v1_0', score: 0.7 }]);
  expect(requests.map(({ temperature, max_tokens }) => [temperature, max_tokens])).toEqual([
    [0, 3],
    [0, 3],
  ]);
  expect(promptOf(requests[0]!)).toMatch(/\nq \| lamp \| a lamp \| $/);
  expect(promptOf(requests[1]!)).toMatch(
    /\nq \| lamp \| a lamp \| \nPredict the correctness of the answer \(digit\): $/,
  );
  expect(kept.trimEnd().split('\n').length).toBe(2);
});

test('MM-Vet: unusable replies, NaN and failed requests give 0 after all calls of the profile', async () => {
  const nonsense = await score('mmvet', [mmvetRow], (_, __, asked) => (asked % 2 === 0 ? 'nan' : 400));
  expect([nonsense.lines, nonsense.requests.length]).toEqual([[{ id: 'v1_0', score: 0 }], 6]);
  const kit = await score('mmvet', [mmvetRow], () => '0.5 or so', '--profile', 'vlmevalkit');
  expect([kit.lines, kit.requests.map(({ temperature }) => temperature)]).toEqual([
    [{ id: 'v1_0', score: 0 }],
    [0, 0.5, 1, 1.5, 2],
  ]);
});

test('MMBench: the judge gets only undecided rotations, and none of a question that is already wrong', async () => {
  const options = { A: 'one', B: 'two', question: 'q' };
  const rows = [
    { ...options, index: 1, answer: 'A', prediction: 'A' },
    { ...options, index: 1_000_001, answer: 'B', prediction: 'the second of them' },
    { ...options, index: 2, answer: 'A', prediction: 'B' },
    { ...options, index: 1_000_002, answer: 'B', prediction: 'who knows' },
    { ...options, index: 3, answer: 'A', prediction: 'hm' },
  ];
  const { lines, requests } = await score('mmbench', rows, (prompt) =>
    prompt.includes('the second') ? 'B' : 'A or B',
  );
  expect(lines.map(({ parsed }) => parsed)).toEqual(['A', 'B', 'B', null, null]);
  expect(requests.length).toBe(1 + 3);
});

test('a judge decides MMMU with the rules of VLMEvalKit, not with the official rules', async () => {
  const row = { id: 1, question: 'q', options: ['x1', 'x2'], answer: 'B', prediction: 'the latter' };
  const { lines } = await score('mmmu', [row], () => 'B', '--profile', 'vlmevalkit');
  expect(lines).toEqual([{ id: 1, score: 1, parsed: 'B' }]);
  const own = await score('mmmu', [row], () => 'B');
  expect([own.lines[0].parsed, own.requests.length]).toEqual([null, 0]);
});
