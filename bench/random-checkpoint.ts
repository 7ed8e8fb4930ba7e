/**
 * Writes a checkpoint with random weights in the published layout, to measure speed and memory:
 *
 *     npx tsx bench/random-checkpoint.ts FOLDER [--layers N] [--tower-layers N] [--image-size N] [--config FILE] [--model NAME]
 *     npx tsx bench/random-checkpoint.ts OUT.gguf --type int4|int8|bf16 [the same options]
 *
 * Without options it has all tensors of the 19 B model: eight shards of bf16 with 39 GB, or one file of 11.2 GB with --type int4.
 * --model selects the layout of another published model, such as cogvlm-chat-hf. The answers of random weights have no meaning.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { publishedLayouts, tensorShapes } from '../src/checkpoint/published-layout.ts';
import { presetNames } from '../src/checkpoint/type-preset.ts';
import { isPublished } from '../src/hub/cache.ts';
import { parseConfig } from '../src/model/config.ts';
import { writeRandomCheckpoint, writeRandomGguf } from './random-weights.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    layers: { type: 'string' },
    'tower-layers': { type: 'string' },
    'image-size': { type: 'string' },
    config: { type: 'string' },
    model: { type: 'string', default: 'cogvlm2-llama3-chat-19B' },
    type: { type: 'string' },
  },
});
const [out] = positionals;
const preset = presetNames.find((name) => name === flags.type);
if (out === undefined || (flags.type !== undefined && preset === undefined))
  throw new Error(
    'usage: npx tsx bench/random-checkpoint.ts FOLDER | OUT.gguf --type int4|int8|bf16 [options]',
  );
if (!isPublished(flags.model)) throw new Error(`${flags.model} is not a published model`);
const layout = structuredClone(publishedLayouts[flags.model]);
if (flags.config) layout.config = JSON.parse(readFileSync(flags.config, 'utf8'));
const { config, family } = layout;
const vision = config.vision_config;
config.num_hidden_layers = Number(flags.layers ?? config.num_hidden_layers);
vision.num_hidden_layers = Number(flags['tower-layers'] ?? vision.num_hidden_layers);
vision.image_size = Number(flags['image-size'] ?? vision.image_size);
vision.num_positions = (vision.image_size / vision.patch_size) ** 2 + 1;
const shapes = new Map(Array.from(tensorShapes(config, family), ([name, shape]) => [name, { shape }]));
parseConfig(JSON.stringify(config), flags.config ?? 'these options', shapes); // throws if options do not fit together
const startedAt = performance.now();
let shown = 0;
const onProgress = (done: number, total: number) => {
  if (done - shown < 2e9 && done < total) return;
  shown = done;
  const seconds = (performance.now() - startedAt) / 1000;
  console.error(`${(done / 1e9).toFixed(1)} of ${(total / 1e9).toFixed(1)} GB, ${seconds.toFixed(0)} s`);
};
if (preset) await writeRandomGguf(out, layout, preset, onProgress);
else await writeRandomCheckpoint(out, layout, onProgress);
