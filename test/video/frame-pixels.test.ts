import path from 'node:path';
import { expect, test } from 'vitest';
import { readFileBytes } from '../../src/checkpoint/read-file.ts';
import { readNumbers } from '../../src/checkpoint/read-tensor.ts';
import { asTensor, readStored } from '../../src/checkpoint/safetensors.ts';
import { buildPrompt, positionsOf } from '../../src/text/prompt.ts';
import { framePixels } from '../../src/video/frame-pixels.ts';
import { goldenFolder } from '../model/tensors.ts';

const stored = readStored(path.join(goldenFolder('video'), 'preprocess.safetensors'));
const find = (name: string) => {
  const found = stored.find((tensor) => tensor.name === name);
  if (!found) throw new Error(`There is no tensor ${name}.`);
  return found;
};
const names = stored.flatMap(({ name }) => /(.*)\.frames$/.exec(name)?.[1] ?? []);

test.each(names)('%s frames become the pixels of the published transform', (name) => {
  const frames = find(`${name}.frames`);
  const [count = 0, height = 0, width = 0] = frames.shape;
  const bytes = new Uint8Array(frames.sizeBytes);
  readFileBytes(frames, 0, bytes);
  const expected = readNumbers(asTensor(find(`${name}.expected`)));
  const size = 56;
  let worst = 0;
  for (let frame = 0; frame < count; frame++) {
    const data = bytes.subarray(frame * width * height * 3, (frame + 1) * width * height * 3);
    const pixels = framePixels({ width, height, data }, size);
    for (const [i, value] of pixels.entries())
      worst = Math.max(worst, Math.abs(value - expected[frame * pixels.length + i]!));
  }
  expect(worst).toBeLessThanOrEqual(1e-5);
});

test.each([
  ['prompt_chat', ['0', '1', '2']],
  ['prompt_base', ['', '', '']],
])('%s: ids, types and positions of the published code', (name, frameTexts) => {
  const integers = (part: string) => {
    const tensor = find(`${name}.${part}`);
    const values = new BigInt64Array(tensor.sizeBytes / 8);
    readFileBytes(tensor, 0, new Uint8Array(values.buffer));
    return Array.from(values, Number);
  };
  const ids = integers('input_ids');
  const tokenizer = { encode: (text: string) => Array.from(text, (c) => 1000 + (c.codePointAt(0) ?? 0)) };
  const isChat = name === 'prompt_chat';
  const prompt = buildPrompt(tokenizer, {
    template: isChat ? 'chat' : 'base',
    query: isChat ? 'What?' : textAfterImages(ids),
    history: isChat ? [{ question: 'Who?', answer: 'A cat.' }] : [],
    imageTokenCount: 66,
    frameTexts,
    bosId: ids[0] ?? 0,
    padId: ids[1] ?? 0,
  });
  expect([...prompt.ids]).toEqual(ids);
  expect([...prompt.tokenTypes]).toEqual(integers('token_type_ids'));
  expect([...positionsOf(prompt.tokenTypes)]).toEqual(integers('position_ids'));
  expect(prompt.imageTokens).toBe(3 * 66);
});

/** The query of a prompt that has no other text. */
function textAfterImages(ids: readonly number[]): string {
  return String.fromCodePoint(...ids.slice(1 + 3 * 66).map((id) => id - 1000));
}
