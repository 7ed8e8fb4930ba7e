import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { tinyConfig, writeTinyCheckpoint } from '../model/tiny-checkpoint.ts';

/** A video model of random weights with a tokenizer. @returns its folder */
export function writeTinyVideoModel(folder: string): string {
  const config = {
    ...tinyConfig,
    architectures: ['CogVLMVideoForCausalLM'],
    vocab_size: 480,
    bos_token_id: 461,
    eos_token_id: [462],
    pad_token_id: 463,
    template_version: 'base',
  };
  writeTinyCheckpoint(folder, { config, family: 'CogVLM2-Video' });
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    const file = fileURLToPath(new URL(`../fixtures/text/${name}`, import.meta.url));
    copyFileSync(file, path.join(folder, name));
  }
  return folder;
}
