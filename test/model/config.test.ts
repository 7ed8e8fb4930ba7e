import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { configV1, configVideo } from '../../src/checkpoint/published-layout.ts';
import { parseConfig, withImageSize } from '../../src/model/config.ts';
import { caught } from '../checkpoint/caught.ts';
import { goldenFolder } from './tensors.ts';
import { configOf, shapesOf, tinyConfig } from './tiny-checkpoint.ts';

const { vision_config: vision } = tinyConfig;

test('reads the golden config with the defaults of the published code', () => {
  const { path: where, texts, tensors } = openCheckpoint(goldenFolder('odd'));
  expect(parseConfig(texts['config.json'], where, tensors)).toMatchObject({
    heads: 6,
    kvHeads: 3,
    headSize: 32,
    eosIds: [2],
    vision: { side: 5, imageTokens: 6, headSize: 32, normEps: 1e-6 },
  });
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
  const error = caught(() => parseConfig(text, '/models/mine', shapesOf(tinyConfig)));
  expect(error.code).toBe('invalid_checkpoint');
  for (const part of ['config.json of /models/mine', ...parts]) expect(error.message).toContain(part);
});

describe('the models of the family are identified by their tensors:', () => {
  test('CogVLM 1: every patch is a token, and all heads have keys and values', () => {
    expect(configOf(configV1, 'CogVLM 1')).toMatchObject({
      family: 'CogVLM 1',
      hasConvolution: false,
      hasVisionExperts: true,
      hasVisionBias: false,
      kvHeads: 32,
      ropeBase: 10_000,
      eosIds: [2],
      vision: { side: 35, imageTokens: 1227 },
    });
  });

  test.each([undefined, 4])(
    'CogVLM2, also if config.json has another number of key and value heads',
    (heads) => {
      const other = { ...tinyConfig, num_multi_query_heads: heads };
      const read = parseConfig(JSON.stringify(other), 'here', shapesOf(tinyConfig));
      expect(read).toMatchObject({
        family: 'CogVLM2',
        hasConvolution: true,
        hasVisionExperts: true,
        hasVisionBias: true,
        kvHeads: 2,
        ropeBase: 500_000,
      });
    },
  );

  test('video: no vision experts', () => {
    expect(configOf(configVideo, 'CogVLM2-Video')).toMatchObject({
      family: 'CogVLM2-Video',
      hasConvolution: true,
      hasVisionExperts: false,
      kvHeads: 8,
      ropeBase: 500_000,
      template: 'chat',
      vision: { side: 16, imageTokens: 66 },
    });
  });

  test.each([
    [{ ...tinyConfig, cross_image_size: 1120 }, []],
    [tinyConfig, ['model.cross_vision.vit.model.cls_token']],
  ])('CogAgent is refused, and the error has its name', (config, more) => {
    const tensors = shapesOf(tinyConfig);
    for (const name of more) tensors.set(name, { shape: [1] });
    const error = caught(() => parseConfig(JSON.stringify(config), '/models/agent', tensors));
    expect(error.message).toMatch(/^\/models\/agent is CogAgent, .*second vision tower.*cross attention/);
  });

  test.each([
    [136, 'has 136 rows'],
    [64, 'has 64 rows'],
    [0, 'is missing'],
  ])('queries, keys and values of %s rows are refused', (rows, found) => {
    const name = 'model.layers.0.self_attn.language_expert_query_key_value.weight';
    const tensors = new Map(shapesOf(tinyConfig));
    if (rows > 0) tensors.set(name, { shape: [rows, 64] });
    else tensors.delete(name);
    const error = caught(() => parseConfig(JSON.stringify(tinyConfig), 'here', tensors));
    expect(error.message).toContain(`${name} of here ${found}`);
  });

  test('a number of query heads that is no multiple of the key and value heads is refused', () => {
    const shapes = shapesOf({ ...tinyConfig, num_multi_query_heads: 3 });
    const error = caught(() => parseConfig(JSON.stringify(tinyConfig), 'here', shapes));
    expect(error.message).toContain('num_attention_heads 4 is not a multiple of the number of key and value');
  });

  test('without the convolution, images may have any size of whole patches', () => {
    const config = configOf(configV1, 'CogVLM 1');
    expect(withImageSize(config, 210).vision).toMatchObject({ side: 15, imageTokens: 227 });
    expect(caught(() => withImageSize(config, 215)).message).toContain('a multiple of 14 from 14 to 490');
  });
});
