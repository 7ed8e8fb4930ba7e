/** Mutations of config.json and of tokenizer.json in a folder. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { writeBaseCheckpoint } from './base-checkpoint.ts';
import type { Format } from './formats.ts';
import { EXTREMES, mutateBytes, mutateJson, strangeJson } from './mutate.ts';
import type { Random } from './random.ts';

export function configFormat(folder: string): Format {
  return jsonFormat(folder, 'config.json', (random, config) => {
    const heads = [1, 2, 4, 8, 16, 32, 64];
    if (random.chance(0.7)) return mutateJson(random, config);
    const vision = config.vision_config as Record<string, unknown>;
    // Numbers that fit the shapes of the tensors.
    config.num_attention_heads = random.pick(heads);
    config.num_multi_query_heads = random.pick(heads);
    vision.num_heads = random.pick(heads);
    config.max_position_embeddings = random.pick([1, 2, 10, 100, 1e5, 1e7, 1e9, 2 ** 53 - 1]);
    config.rms_norm_eps = random.pick([1e-5, 1e-46, 1e308, 1e38]);
    return JSON.stringify([
      config.num_attention_heads,
      config.num_multi_query_heads,
      vision.num_heads,
      config.max_position_embeddings,
    ]);
  });
}

const PATTERNS = ['[', '', '(?:)', '\\p{L}+', '(', '\\', '.', '(?<a>x)', '\\u{110000}', '[z-a]'];
const PRE_TOKENIZERS: readonly unknown[] = [
  null,
  'x',
  [],
  { type: 'ByteLevel' },
  { type: 'Nope' },
  { type: 'Sequence', pretokenizers: [] },
  {
    type: 'Sequence',
    pretokenizers: [{ type: 'Sequence', pretokenizers: [{ type: 'ByteLevel', use_regex: true }] }],
  },
  ...PATTERNS.map((Regex) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated' })),
  { type: 'Split', pattern: { Regex: '(?:)' }, behavior: 'Removed' },
];
const NORMALIZERS: readonly unknown[] = [
  'x',
  { type: 'NFC' },
  { type: 'Nope' },
  { type: 'Replace', pattern: { String: '' }, content: 'zz' },
  { type: 'Prepend', prepend: '_'.repeat(10_000) },
  ...PATTERNS.map((Regex) => ({ type: 'Replace', pattern: { Regex }, content: 'z' })),
];

export function tokenizerFormat(folder: string): Format {
  return jsonFormat(folder, 'tokenizer.json', (random, tokenizer) => {
    const model = tokenizer.model as { vocab: Record<string, unknown>; merges: unknown[] };
    const added = tokenizer.added_tokens as Record<string, unknown>[];
    switch (random.below(9)) {
      case 0: {
        const tokens = Object.keys(model.vocab);
        for (let i = 0; i < 5; i++)
          model.vocab[random.pick(tokens)] = random.pick([
            0,
            1,
            2 ** 22 - 1,
            2 ** 22,
            1e9,
            -1,
            0.5,
            '1',
            null,
          ]);
        return 'ids';
      }
      case 1:
        for (const token of Object.keys(model.vocab)) if (random.chance(0.05)) delete model.vocab[token];
        return 'tokens removed';
      case 2:
        model.merges = model.merges.map((merge) =>
          random.chance(0.2) ? random.pick<unknown>(['a', '', 'x y z', ['a'], [1, 2], null, {}]) : merge,
        );
        return 'merges';
      case 3:
        tokenizer.pre_tokenizer = random.pick(PRE_TOKENIZERS);
        return `pre_tokenizer ${JSON.stringify(tokenizer.pre_tokenizer)}`;
      case 4:
        tokenizer.normalizer = random.pick(NORMALIZERS);
        return `normalizer ${JSON.stringify(tokenizer.normalizer).slice(0, 80)}`;
      case 5:
        tokenizer.added_tokens = random.pick<unknown>([
          [],
          null,
          added.map((token) => ({ ...token, id: 0 })),
          added.map((token) => ({ ...token, special: false })),
          added.map((token) => ({ ...token, content: 'a' })),
          [{ id: 2 ** 22 - 1, content: 'z', special: true }],
          Array.from({ length: 20_000 }, (_, id) => ({ id, content: `t${id}`, special: true })),
        ]);
        return 'added_tokens';
      case 6:
        tokenizer.post_processor = random.pick(EXTREMES);
        return `post_processor ${JSON.stringify(tokenizer.post_processor)}`;
      default:
        return mutateJson(random, tokenizer);
    }
  });
}

function jsonFormat(
  folder: string,
  name: string,
  change: (random: Random, json: Record<string, unknown>) => string,
): Format {
  writeBaseCheckpoint(folder, name === 'tokenizer.json');
  const file = path.join(folder, name);
  const good = readFileSync(file, 'utf8');
  return {
    kind: 'checkpoint',
    mutate(random) {
      const how = random.below(20);
      if (how === 0) {
        writeFileSync(file, strangeJson(random, good));
        return { path: folder, change: 'strange JSON' };
      }
      if (how === 1) {
        writeFileSync(file, mutateBytes(random, Buffer.from(good)));
        return { path: folder, change: 'bytes' };
      }
      const json = JSON.parse(good) as Record<string, unknown>;
      const what = change(random, json);
      writeFileSync(file, JSON.stringify(json));
      return { path: folder, change: what };
    },
  };
}
