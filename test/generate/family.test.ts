/** The other models of the family, from a folder to an answer, with random weights. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import { rejected } from '../checkpoint/caught.ts';
import { tinyConfig, writeTinyCheckpoint } from '../model/tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-family-'));
afterAll(() => rmSync(folder, { recursive: true }));

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const image = fixture('images/gray.png');
const options = { device: 'cpu', threads: 1 };

describe('CogVLM 1', () => {
  const { num_multi_query_heads: _, ...config } = {
    ...tinyConfig,
    vocab_size: 700,
    bos_token_id: 1,
    eos_token_id: [2],
    pad_token_id: 0,
  };
  const location = writeTinyCheckpoint(path.join(folder, 'v1'), {
    config: { ...config, num_multi_query_heads: config.num_attention_heads },
    family: 'CogVLM 1',
  });
  copyFileSync(fixture('text/sentencepiece.model'), path.join(location, 'tokenizer.model'));
  const ask = async (model: string, more = {}) => {
    using loaded = await CogVLM2.load({ ...options, model });
    const asked = { maxTokens: 8, ...more };
    return await loaded.ask(image, 'What is this?', asked).result();
  };

  test('every patch is an image token, and the prompt begins with the entry of SentencePiece', async () => {
    using model = await CogVLM2.load({ ...options, model: location });
    expect(model.info).toMatchObject({ family: 'CogVLM 1', imageTokens: 5 * 5 + 2 });
    expect(model.detokenize(model.tokenize('An image: \u{1F600}'))).toBe('An image: \u{1F600}');
    const { promptTokens } = model.check(true, 'What is this?');
    expect(promptTokens).toBe(1 + 27 + model.tokenize('Question: What is this? Answer:').length);
  });

  test('a converted file contains the tokenizer, and gives the same answer', async () => {
    const file = path.join(folder, 'v1.gguf');
    await convertToGguf(openCheckpoint(location), file);
    const [stored, converted] = [await ask(location), await ask(file)];
    expect(converted.tokenIds).toEqual(stored.tokenIds);
    expect(converted.text).toBe(stored.text);
  });

  test('an answer has the requested format', async () => {
    const schema = { type: 'object', properties: { cat: { type: 'boolean' } }, required: ['cat'] };
    const answer = await ask(location, { format: { type: 'json_schema', schema }, maxTokens: 40 });
    expect(Object.keys(JSON.parse(answer.text))).toEqual(['cat']);
  });

  test('accepts smaller images with any whole number of patches', async () => {
    using small = await CogVLM2.load({ ...options, model: location, imageSize: 12 });
    const { usage } = await small.ask(image, 'What is this?', { maxTokens: 2 }).result();
    expect(usage.imageTokens).toBe(3 * 3 + 2);
  });

  test('the error for a missing tokenizer names the right one', async () => {
    const bare = path.join(folder, 'bare');
    writeTinyCheckpoint(bare, { config: { ...config, vocab_size: 32_000, num_multi_query_heads: 4 } });
    const error = await rejected(CogVLM2.load({ ...options, model: bare }));
    expect(error.message).toContain('copy tokenizer.model of lmsys/vicuna-7b-v1.5');
  });
});
