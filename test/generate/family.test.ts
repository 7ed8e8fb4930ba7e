/** CogVLM 1 from a folder to an answer: tokenizer.model, every patch a token, no convolution. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import { randomArrays, tinyConfig, writeTinyCheckpoint } from '../model/tiny-checkpoint.ts';
import { imageFile } from '../image/fixtures.ts';
