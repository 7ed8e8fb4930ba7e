import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import {
  adapterFingerprint,
  changesImages,
  checkAdapter,
  openAdapter,
  openAdapters,
} from '../../../src/checkpoint/peft/adapter.ts';
import { goldenFolder } from '../../model/tensors.ts';
import { tinyConfig, writeTinyCheckpoint } from '../../model/tiny-checkpoint.ts';
import { caught } from '../caught.ts';
import { peftConfig, randomPair, randomTensor, writeAdapter } from './write-adapter.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-peft-'));
afterAll(() => rmSync(folder, { recursive: true }));
const base = openCheckpoint(writeTinyCheckpoint(path.join(folder, 'base')));

const dense = 'model.layers.0.self_attn.language_expert_dense';
const downProj = 'model.layers.1.mlp.vision_mlp.down_proj';
const pair = (modulePath = dense, shape: readonly number[] = [64, 64], r = 2) =>
  randomPair(modulePath, shape, r, 1);
let made = 0;
const write = (tensors = pair(), config?: object) =>
  writeAdapter(path.join(folder, `a${made++}`), tensors, config);
const refusal = (tensors = pair(), config?: object) => {
  const error = caught(() => checkAdapter(openAdapter(write(tensors, config)), base));
  expect(error.code).toBe('invalid_checkpoint');
  return error.message;
};

test.each(['official', 'saved', 'dora'])('the golden %s is read and fits its checkpoint', (name) => {
  const adapter = openAdapter(goldenFolder(`lora/${name}`));
  checkAdapter(adapter, openCheckpoint(goldenFolder('small')));
  expect(adapter.baseModel).toBe('small');
  expect(adapter.modules.size).toBe(name === 'official' ? 3 : 6);
  const scales = new Set([...adapter.modules.values()].map(({ scale }) => scale));
  expect([...scales]).toEqual([{ official: 4, saved: 1, dora: 2 }[name]]);
  expect([...adapter.replaced.keys()].sort()).toEqual(
    name === 'saved'
      ? ['lm_head.weight', 'model.vision.linear_proj.norm1.bias', 'model.vision.linear_proj.norm1.weight']
      : [],
  );
  expect(changesImages(adapter)).toBe(name === 'saved');
});

describe('the scale', () => {
  const scaleOf = (config: object, tensors = pair()) =>
    [...openAdapter(write(tensors, peftConfig(config))).modules.values()][0]?.scale;

  test('is alpha / r, or alpha / sqrt(r)', () => {
    expect(scaleOf({})).toBe(2);
    expect(scaleOf({ use_rslora: true })).toBeCloseTo(4 / Math.sqrt(2), 12);
    expect(scaleOf({ lora_alpha: 0.5 })).toBe(0.25);
  });

  test('uses the first pattern that matches the end of the path', () => {
    const patterns = { down_proj: 3, 'layers.1.mlp.*': 9 };
    const tensors = pair(downProj, [64, 96]);
    expect(scaleOf({ alpha_pattern: patterns }, tensors)).toBe(1.5);
    expect(scaleOf({ alpha_pattern: { own_proj: 3 } }, tensors)).toBe(2);
    expect(
      scaleOf({ alpha_pattern: { 'model\\.layers\\.\\d+\\.mlp\\.vision_mlp\\.(up|down)_proj': 3 } }, tensors),
    ).toBe(1.5);
    expect(scaleOf({ r: 8, rank_pattern: { [dense]: 2 } })).toBe(2);
  });

  test('with a pattern that takes exponential time is refused', () => {
    const message = refusal(pair(), peftConfig({ rank_pattern: { '([a-z_.0-9]+)+!': 2 } }));
    expect(message).toMatch(
      /rank_pattern: matching model\.layers\.0\.self_attn\.language_expert_dense takes more/,
    );
  });
});

test.each([
  ['peft_type', 'LOHA'],
  ['fan_in_fan_out', true],
  ['layer_replication', [[0, 2]]],
  ['use_qalora', true],
  ['use_bdlora', {}],
  ['kasa_config', { rank: 2 }],
  ['velora_config', {}],
  ['monteclora_config', {}],
  ['arrow_config', { top_k: 2 }],
  ['alora_invocation_tokens', [1, 2]],
  ['target_parameters', ['weight']],
  ['trainable_token_indices', [5]],
  ['init_lora_weights', 'pissa_niter_4'],
  ['init_lora_weights', 'olora'],
  ['init_lora_weights', 'corda'],
  ['init_lora_weights', 'loftq'],
  ['init_lora_weights', 'lora_ga'],
  ['use_something_new', true],
  ['something_config', { a: 1 }],
  ['r', 0],
  ['lora_alpha', 'eight'],
  ['rank_pattern', { '(': 2 }],
])('the configuration with %s = %j is refused, and the field is named', (field, value) => {
  expect(refusal(pair(), peftConfig({ [field]: value }))).toContain(field);
});

test.each([
  [
    'fields of PEFT and ms-swift that matter only in training',
    {
      lora_dropout: 0.1,
      loftq_config: {},
      eva_config: null,
      corda_config: null,
      megatron_config: null,
      use_dora: false,
      use_qalora: false,
      qalora_group_size: 16,
      lora_dtype: null,
      lorap_lr_ratio: null,
      lorap_emb_lr: 1e-6,
      layers_to_transform: null,
      peft_version: '0.21.2',
    },
  ],
  ['a field that old versions lack', { lora_bias: undefined, use_rslora: undefined, use_dora: undefined }],
  ['another initialization', { init_lora_weights: 'gaussian' }],
])('accepts %s', (_, config) => {
  checkAdapter(openAdapter(write(pair(), peftConfig(config))), base);
});

describe('tensors are refused, and the error names the tensor', () => {
  const [a, b] = pair();
  const vector = (name: string, length = 64) => randomTensor(name, [length], 3);

  test.each([
    ['an A without its B', [a!], `${dense} has lora_A.weight, but no lora_B.weight`],
    ['a B without its A', [b!], `${dense} has lora_B.weight, but no lora_A.weight`],
    [
      'a key with the name of an adapter',
      [{ ...a!, name: `${dense}.lora_A.default.weight` }, b!],
      'lora_A.default.weight is no key',
    ],
    [
      'a module that the model lacks',
      pair('model.layers.9.self_attn.language_expert_dense'),
      'no model.layers.9.self_attn',
    ],
    [
      'a tensor that the model lacks',
      [a!, b!, vector('model.layers.0.extra.weight')],
      'no model.layers.0.extra.weight',
    ],
    [
      'another rank than the configuration',
      pair(dense, [64, 64], 3),
      'has rank 3, but adapter_config.json says 2',
    ],
    [
      'an A of another width',
      pair(dense, [64, 32]),
      'cannot change model.layers.0.self_attn.language_expert_dense.weight [64, 64]',
    ],
    ['a B of another height', pair(dense, [128, 64]), 'cannot change'],
    [
      'a B of another rank',
      [a!, randomTensor(`${dense}.lora_B.weight`, [64, 3], 1)],
      '[64, 3], but [64, 2] belongs to',
    ],
    [
      'a replaced tensor of another shape',
      [vector('model.norm.weight', 63)],
      'is [63], but model.norm.weight is [64]',
    ],
    ['a vector as A', [vector(`${dense}.lora_A.weight`, 2), b!], 'is not a low-rank matrix'],
    [
      'DoRA that the configuration does not name',
      [a!, b!, vector(`${dense}.lora_magnitude_vector`)],
      'use_dora is not set',
    ],
    [
      'a bias that the configuration does not name',
      [a!, b!, vector(`${dense}.lora_B.bias`)],
      'lora_bias is not set',
    ],
    [
      'an embedding pair of a linear layer',
      [
        randomTensor(`${dense}.lora_embedding_A`, [2, 64], 1),
        randomTensor(`${dense}.lora_embedding_B`, [64, 2], 1),
      ],
      'cannot change',
    ],
    ['nothing at all', [], 'has no tensor'],
  ])('%s', (_, tensors, message) => {
    expect(refusal(tensors)).toContain(message);
  });

  test('refuses a configuration that names tensors without giving them', () => {
    expect(refusal(pair(), peftConfig({ use_dora: true }))).toContain('no lora_magnitude_vector');
    expect(refusal(pair(), peftConfig({ lora_bias: true }))).toContain('no lora_B.bias');
    expect(refusal(pair(), peftConfig({ modules_to_save: ['lm_head'] }))).toContain(
      'names lm_head, but no tensor of it',
    );
  });

  test('refuses a key without the prefix', () => {
    const to = write();
    const file = path.join(to, 'adapter_model.safetensors');
    // The same length, so that the header remains valid.
    writeFileSync(
      file,
      readFileSync(file, 'latin1').replaceAll('base_model.model.', 'some_model.model.'),
      'latin1',
    );
    expect(caught(() => openAdapter(to)).message).toContain('it does not begin with base_model.model.');
  });
});

describe('the folder', () => {
  test('with a pickle file is refused, with the remedy', () => {
    const to = path.join(folder, 'pickle');
    mkdirSync(to);
    writeFileSync(path.join(to, 'adapter_config.json'), JSON.stringify(peftConfig()));
    writeFileSync(path.join(to, 'adapter_model.bin'), 'PK');
    const { code, message } = caught(() => openAdapter(to));
    expect(code).toBe('invalid_checkpoint');
    expect(message).toMatch(/adapter_model\.bin is a pickle.*safe_serialization=True/);
  });

  test('is refused if it is damaged', () => {
    const copy = (name: string) => {
      const to = path.join(folder, name);
      cpSync(goldenFolder('lora/official'), to, { recursive: true });
      return to;
    };
    const cut = copy('cut');
    truncateSync(path.join(cut, 'adapter_model.safetensors'), 40_000);
    expect(caught(() => openAdapter(cut)).code).toBe('invalid_checkpoint');
    const noConfig = copy('no-config');
    writeFileSync(path.join(noConfig, 'adapter_config.json'), '{"peft_type": "LORA", ');
    expect(caught(() => openAdapter(noConfig)).message).toContain('not JSON');
    const noWeights = copy('no-weights');
    rmSync(path.join(noWeights, 'adapter_model.safetensors'));
    expect(caught(() => openAdapter(noWeights)).message).toContain('no adapter_model.safetensors');
    expect(caught(() => openAdapter(path.join(folder, 'nowhere'))).code).toBe('file_not_found');
    expect(caught(() => openAdapter(goldenFolder('small'))).message).toContain('not a PEFT adapter');
  });
});

test('changes of several adapters can be added, unless one replaces a tensor that another changes', () => {
  const sum = openAdapters([{ path: write(), scale: 0.5 }, write()]);
  expect(sum.map(({ scale }) => scale)).toEqual([0.5, 1]);
  const whole = write([randomTensor('lm_head.weight', [60, 64], 1)]);
  const change = write(pair('lm_head', [60, 64]));
  expect(caught(() => openAdapters([whole, change])).message).toContain('both change lm_head.weight');
  expect(caught(() => openAdapters([{ path: whole, scale: 2 }])).message).toContain('cannot be scaled by 2');
});

test('the fingerprint depends on numbers and scales, and shows whether image tokens change', () => {
  const [one, other] = [
    openAdapter(write()),
    openAdapter(write(pair('model.vision.linear_proj.linear_proj', [64, 32]))),
  ];
  const of = (adapter: typeof one, scale = 1, part: 'all' | 'images' = 'all') =>
    adapterFingerprint([{ adapter, scale }], part);
  expect(new Set([of(one), of(one, 2), of(other)]).size).toBe(3);
  expect(of(one)).toBe(of(one));
  expect(of(one, 1, 'images')).toBe(of(one, 2, 'images'));
  expect(of(other, 1, 'images')).not.toBe(of(other, 2, 'images'));
  expect(tinyConfig.vision_config.hidden_size).toBe(32);
});
