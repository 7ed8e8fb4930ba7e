import { demoModelPath } from '../checkpoint/find.ts';
import { type Checkpoint, type ModelFamily, onDisk } from '../checkpoint/types.ts';
import type { Model } from '../model/cogvlm2.ts';
import { checkContext } from '../model/plan-model.ts';
import type { AdapterInfo } from './adapters.ts';

export interface ModelInfo {
  name: string;
  path: string;
  format: 'safetensors' | 'gguf';
  sizeBytes: number;
  /** Bytes of each stored type. */
  types: Record<string, number>;
  parameters: number;
  family: ModelFamily;
  imageSize: number;
  /** Tokens that an image takes of the context. */
  imageTokens: number;
  contextSize: number;
  device: string;
  threads: number;
  isDemo: boolean;
  /** LoRA adapters beside the weights. */
  adapters: readonly AdapterInfo[];
  /** Directory of the image cache on disk, or "off: " and the reason. */
  imageCache: string;
}

/** @throws CogVLM2Error `invalid_value` for a context that the model does not have. */
export function describeModel(
  checkpoint: Checkpoint,
  { config, engine }: Model,
  wantedContext?: number,
): Omit<ModelInfo, 'imageCache' | 'adapters'> {
  const contextSize = checkContext(config, wantedContext);
  const types: Record<string, number> = {};
  let [sizeBytes, parameters] = [0, 0];
  for (const tensor of checkpoint.tensors.values()) {
    const stored = onDisk(tensor);
    types[stored.type] = (types[stored.type] ?? 0) + stored.sizeBytes;
    sizeBytes += stored.sizeBytes;
    // The tables of rotary frequencies are computed, not learned.
    if (!tensor.name.endsWith('inv_freq')) parameters += tensor.shape.reduce((a, b) => a * b, 1);
  }
  const { name, path, format } = checkpoint;
  return {
    name,
    path,
    format,
    sizeBytes,
    types,
    parameters,
    family: config.family,
    contextSize,
    imageSize: config.vision.imageSize,
    imageTokens: config.vision.imageTokens,
    device: engine.device.name,
    threads: engine.threads,
    isDemo: path === demoModelPath(),
  };
}
