import { readFixture } from '../text/fixtures.ts';
import { type TinyConfig, tinyConfig, writeTinyCheckpoint } from './tiny-checkpoint.ts';

/** A folder for `CogVLM2.load`: the tiny checkpoint with the tokenizer of the text fixtures. */

export const tinyModelConfig: TinyConfig = {
  ...tinyConfig,
  vocab_size: 465, // the tokenizer's
  max_position_embeddings: 256,
  bos_token_id: 461,
  eos_token_id: [462, 464],
  pad_token_id: 463,
};

const texts = {
  'tokenizer.json': readFixture('tokenizer.json'),
  'tokenizer_config.json': readFixture('tokenizer_config.json'),
};

/** @param changes values of config.json that replace those of `tinyModelConfig`. @returns the folder. */
export function writeTinyModel(folder: string, changes: Partial<TinyConfig> = {}): string {
  return writeTinyCheckpoint(folder, { config: { ...tinyModelConfig, ...changes }, texts });
}

/** A video model of the same sizes, with the same tokenizer. @returns the folder */
export function writeTinyVideoModel(folder: string): string {
  const config = {
    ...tinyModelConfig,
    architectures: ['CogVLMVideoForCausalLM'],
    template_version: 'base',
  };
  return writeTinyCheckpoint(folder, { config, family: 'CogVLM2-Video', texts });
}
