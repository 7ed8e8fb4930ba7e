import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/model/config.ts';
import { caught } from '../checkpoint/caught.ts';
import { goldenFolder } from './tensors.ts';
import { tinyConfig } from './tiny-checkpoint.ts';

const { vision_config: vision } = tinyConfig;

test('the golden config, with the defaults of the published code', () => {
  const text = readFileSync(path.join(goldenFolder('odd'), 'config.json'), 'utf8');
  expect(parseConfig(text, 'odd')).toMatchObject({
    heads: 6,
    kvHeads: 3,
    headSize: 32,
    eosIds: [2],
    vision: { side: 5, imageTokens: 6, headSize: 32, normEps: 1e-6 },
  });
  const { num_multi_query_heads: _, ...english } = { ...tinyConfig, hidden_size: 64, num_attention_heads: 8 };
  expect(parseConfig(JSON.stringify(english), 'here').kvHeads).toBe(8);
});

test.each([
  ['not JSON', '{"hidden_size": 6', ['not JSON']],
  ['nothing', '[]', ['the file']],
  ['no size', { ...tinyConfig, hidden_size: undefined }, ['hidden_size']],
  ['negative', { ...tinyConfig, vocab_size: -4 }, ['vocab_size']],
  ['text', { ...tinyConfig, num_hidden_layers: '2' }, ['num_hidden_layers']],
  ['half a layer', { ...tinyConfig, num_hidden_layers: 1.5 }, ['num_hidden_layers']],
  ['no vision', { ...tinyConfig, vision_config: undefined }, ['vision_config']],
  [
    'vision field',
    { ...tinyConfig, vision_config: { ...vision, patch_size: 0 } },
    ['vision_config.patch_size'],
  ],
  [
    'four channels',
    { ...tinyConfig, vision_config: { ...vision, in_channels: 4 } },
    ['vision_config.in_channels'],
  ],
  ['template', { ...tinyConfig, template_version: 'story' }, ['template_version']],
  ['heads', { ...tinyConfig, num_attention_heads: 5 }, ['hidden_size 64', 'num_attention_heads 5']],
  [
    'groups',
    { ...tinyConfig, num_multi_query_heads: 3 },
    ['num_attention_heads 4', 'num_multi_query_heads 3'],
  ],
  ['bos', { ...tinyConfig, bos_token_id: 60 }, ['token id 60', 'vocabulary of 60']],
  ['odd head', { ...tinyConfig, hidden_size: 60 }, ['heads of 15']],
  [
    'patches',
    { ...tinyConfig, vision_config: { ...vision, image_size: 21 } },
    ['image_size 21', 'patch_size 4'],
  ],
  ['one patch', { ...tinyConfig, vision_config: { ...vision, image_size: 4 } }, ['1 patch']],
  ['positions', { ...tinyConfig, vision_config: { ...vision, num_positions: 25 } }, ['25', '5x5', '26']],
  [
    'tower heads',
    { ...tinyConfig, vision_config: { ...vision, num_heads: 3 } },
    ['hidden_size 32', 'num_heads 3'],
  ],
])('refuses %s', (_, config, parts) => {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  const error = caught(() => parseConfig(text, '/models/mine'));
  expect(error.code).toBe('invalid_checkpoint');
  for (const part of ['config.json of /models/mine', ...parts]) expect(error.message).toContain(part);
});
