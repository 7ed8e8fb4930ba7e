import { tokenizerMissing } from '../checkpoint/checkpoint.ts';
import { demoModelPath } from '../checkpoint/find.ts';
import { type Checkpoint, type ModelFamily, onDisk } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';
import { Model } from '../model/cogvlm2.ts';
import { parseConfig } from '../model/config.ts';
import { checkContext } from '../model/plan-model.ts';
import type { PromptTemplate } from '../text/prompt.ts';
import { Tokenizer } from '../text/tokenizer.ts';
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
  /** The default prompt template. */
  template: PromptTemplate;
  imageSize: number;
  /** Tokens of the context that an image uses. */
  imageTokens: number;
  contextSize: number;
  device: string;
  threads: number;
  isDemo: boolean;
  /** LoRA adapters that run without a merge. */
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
    // The tables of rotary frequencies are not parameters.
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
    template: config.template,
    contextSize,
    imageSize: config.vision.imageSize,
    imageTokens: config.vision.imageTokens,
    device: engine.device.name,
    threads: engine.threads,
    isDemo: path === demoModelPath(),
  };
}

// Checks of a checkpoint's files without loading it.

/**
 * For commands that use a checkpoint without asking questions.
 * @param options.needsTokenizer whether to refuse a checkpoint without a tokenizer, which can only be traced
 * @throws CogVLM2Error `invalid_checkpoint`
 */
export function checkModel(checkpoint: Checkpoint, { needsTokenizer } = { needsTokenizer: true }): void {
  if (needsTokenizer || checkpoint.texts['tokenizer.json'] !== undefined) tokenizerOf(checkpoint);
  Model.check(checkpoint);
}

/** The checkpoint's tokenizer. @throws CogVLM2Error `invalid_checkpoint`, also if it does not fit the config */
export function tokenizerOf({ path, texts, tensors }: Checkpoint): Tokenizer {
  const text = texts['tokenizer.json'];
  if (text === undefined) throw tokenizerMissing(path);
  const { vocabSize } = parseConfig(texts['config.json'], path, tensors);
  const tokenizer = new Tokenizer(text, texts['tokenizer_config.json'] ?? {}, vocabSize);
  if (tokenizer.vocabSize > vocabSize) {
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `tokenizer.json of ${path} has ${tokenizer.vocabSize} tokens, but the model's vocabulary is ${vocabSize}.`,
    );
  }
  // Some errors in tokenizer.json appear only when it is used.
  tokenizer.encode('A question, 12 characters?');
  return tokenizer;
}
