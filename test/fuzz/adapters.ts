/** Mutations of a LoRA adapter: its configuration, and its file of tensors. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { peftConfig, randomPair, writeAdapter } from '../checkpoint/peft/write-adapter.ts';
import { writeBaseCheckpoint } from './base-checkpoint.ts';
import type { Format } from './formats.ts';
import { mutateJson, strangeJson } from './mutate.ts';
import { safetensorsMutator } from './safetensors.ts';

/** The model is beside the adapter's folder (child.ts). */
export function adapterFormat(folder: string): Format {
  writeBaseCheckpoint(path.join(folder, 'base'));
  const adapter = path.join(folder, 'adapter');
  writeAdapter(
    adapter,
    [
      ...randomPair('model.layers.0.self_attn.vision_expert_dense', [64, 64], 2, 1),
      ...randomPair('model.layers.1.mlp.language_mlp.down_proj', [64, 96], 2, 3),
      ...randomPair('model.vision.linear_proj.linear_proj', [64, 32], 2, 5),
    ],
    peftConfig({ rank_pattern: { down_proj: 2 }, alpha_pattern: { 'layers.\\d+.*': 8 }, use_rslora: true }),
  );
  const [config, tensors] = ['adapter_config.json', 'adapter_model.safetensors'].map((name) =>
    path.join(adapter, name),
  );
  const [goodConfig, goodTensors] = [readFileSync(config!, 'utf8'), readFileSync(tensors!)];
  const mutateTensors = safetensorsMutator(tensors!);
  return {
    kind: 'adapter',
    mutate(random) {
      writeFileSync(config!, goodConfig);
      writeFileSync(tensors!, goodTensors);
      if (random.chance(0.5)) return { path: adapter, change: mutateTensors(random) };
      if (random.chance(0.3)) {
        writeFileSync(config!, strangeJson(random, goodConfig));
        return { path: adapter, change: 'strange configuration' };
      }
      const json = JSON.parse(goodConfig) as Record<string, unknown>;
      const change = mutateJson(random, json);
      writeFileSync(config!, JSON.stringify(json));
      return { path: adapter, change };
    },
  };
}
