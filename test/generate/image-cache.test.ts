import { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { demoModelPath } from '../../src/checkpoint/find.ts';
import { config19B } from '../../src/checkpoint/published-layout.ts';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import {
  entryBytes,
  imageCacheKey,
  isWorthCaching,
  visionFingerprint,
} from '../../src/generate/disk-image-cache.ts';
import type { LoadOptions } from '../../src/generate/load-options.ts';
import type { Progress } from '../../src/generate/types.ts';
import { parseConfig } from '../../src/model/config.ts';
import { configOf } from '../model/tiny-checkpoint.ts';
import { writeTinyModel, writeTinyVideoModel } from '../model/tiny-model.ts';

/** Image tokens from another process. A second model in this process represents it. */

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-image-cache-'));
afterAll(() => rmSync(folder, { recursive: true }));
const tiny = writeTinyModel(path.join(folder, 'tiny'));
const tinyVideo = writeTinyVideoModel(path.join(folder, 'tiny-video'));
const imageFile = (name: string) => fileURLToPath(new URL(`../fixtures/images/${name}`, import.meta.url));
const [exact, gray] = [imageFile('exact.png'), imageFile('gray.png')];
let directories = 0;
const newDirectory = () => path.join(folder, `cache-${++directories}`, 'cogvlm2', 'images');

async function ask(directory: string, image: string, more: LoadOptions = {}) {
  const imageCache = { directory, always: true };
  using model = await CogVLM2.load({ device: 'cpu', threads: 1, model: tiny, imageCache, ...more });
  const stages: Progress['stage'][] = [];
  const stream = model.ask(image, 'What is this?', { maxTokens: 12 });
  for await (const event of stream) {
    if (event.type === 'progress') stages.push(event.progress.stage);
    if (event.type === 'done') return { ...event.answer, stages, visionBlocks: model.stats().visionBlocks };
  }
  throw new Error('no answer');
}

describe('a second model with the same image', () => {
  test('does not run the tower, and gives the same answer', async () => {
    const directory = newDirectory();
    const first = await ask(directory, exact);
    expect(first).toMatchObject({ imageOrigin: 'encoded' });
    expect(first.visionBlocks).toBeGreaterThan(0);
    const second = await ask(directory, exact);
    expect(second).toMatchObject({ imageOrigin: 'disk', visionBlocks: 0, timings: { visionMs: 0 } });
    expect(second.stages).not.toContain('vision');
    expect(second.tokenIds).toEqual(first.tokenIds);
    expect(readdirSync(directory)).toHaveLength(1);
  });

  test('identifies the image by its pixels, not by its file', async () => {
    const directory = newDirectory();
    const copy = path.join(folder, 'a copy.png');
    copyFileSync(exact, copy);
    await ask(directory, exact);
    expect(await ask(directory, copy)).toMatchObject({ imageOrigin: 'disk' });
    expect(await ask(directory, gray)).toMatchObject({ imageOrigin: 'encoded' });
    expect(readdirSync(directory).join()).not.toContain('copy');
  });

  test('encodes it again if the entry is damaged', async () => {
    const directory = newDirectory();
    const first = await ask(directory, exact);
    writeFileSync(path.join(directory, readdirSync(directory)[0]!), 'damaged');
    const second = await ask(directory, exact);
    expect(second).toMatchObject({ imageOrigin: 'encoded', tokenIds: first.tokenIds });
    expect(await ask(directory, exact)).toMatchObject({ imageOrigin: 'disk' });
  });

  test('has an entry for each frame of a video, and needs all of them', async () => {
    const directory = newDirectory();
    const askFrames = async (...files: string[]) => {
      const imageCache = { directory, always: true };
      using model = await CogVLM2.load({ device: 'cpu', threads: 1, model: tinyVideo, imageCache });
      const frames = files.map((image, second) => ({ image, second }));
      return await model.ask(frames, 'What moves?', { maxTokens: 12 }).result();
    };
    const first = await askFrames(exact, gray);
    expect(first).toMatchObject({ imageOrigin: 'encoded' });
    expect(readdirSync(directory)).toHaveLength(2);
    expect(await askFrames(exact, gray)).toMatchObject({ imageOrigin: 'disk', tokenIds: first.tokenIds });
    expect(await askFrames(gray, exact)).toMatchObject({ imageOrigin: 'disk' });
    rmSync(path.join(directory, readdirSync(directory)[0]!));
    expect(await askFrames(exact, gray)).toMatchObject({ imageOrigin: 'encoded', tokenIds: first.tokenIds });
  });

  test.each<[string, LoadOptions]>([
    ['turned off', { imageCache: false }],
    ['in float32', { compute: 'f32' }],
  ])('encodes it again if the cache is %s', async (_, more) => {
    const directory = newDirectory();
    for (let i = 0; i < 2; i++)
      expect(await ask(directory, exact, more)).toMatchObject({ imageOrigin: 'encoded' });
  });

  test('encodes it again if the directory cannot be used', async () => {
    const directory = path.join(exact, 'cogvlm2', 'images');
    for (let i = 0; i < 2; i++) expect(await ask(directory, exact)).toMatchObject({ imageOrigin: 'encoded' });
  });
});

test('uses an image of the same process from memory, and then from the KV cache', async () => {
  const imageCache = { directory: newDirectory(), always: true };
  using model = await CogVLM2.load({ device: 'cpu', threads: 1, model: tiny, imageCache });
  expect(model.info.imageCache).toBe(imageCache.directory);
  using image = await model.encodeImage(exact);
  expect(image.origin).toBe('encoded');
  using again = await model.encodeImage(exact);
  expect(again).toMatchObject({ origin: 'memory', visionMs: 0 });
  expect((await model.ask(again, 'What?', { maxTokens: 2 }).result()).imageOrigin).toBe('memory');
  expect((await model.ask(exact, 'Where?', { maxTokens: 2 }).result()).imageOrigin).toBe('prefix');
  expect((await model.ask(null, 'Where?', { maxTokens: 2 }).result()).imageOrigin).toBeNull();
});

describe('entries depend', () => {
  const fingerprint = (location: string, adapter?: string) =>
    visionFingerprint(openCheckpoint(location), adapter);
  const when = new Date('2026-01-02T03:04:05Z');
  const touched = (name: string) => {
    const location = writeTinyModel(path.join(folder, name));
    utimesSync(path.join(location, 'model.safetensors'), when, when);
    return location;
  };

  test('on the weights, not on their path', () => {
    const one = touched('one');
    const moved = path.join(folder, 'moved');
    cpSync(one, moved, { recursive: true, preserveTimestamps: true });
    expect(fingerprint(moved)).toBe(fingerprint(one));
    expect(fingerprint(one, 'an adapter')).not.toBe(fingerprint(one));
    utimesSync(path.join(moved, 'model.safetensors'), new Date(), new Date());
    expect(fingerprint(moved)).not.toBe(fingerprint(one));
  });

  test('on the pixels, the weights and the size of the image', async () => {
    const pixels = Float32Array.of(1, 2, 3);
    const keys = [
      await imageCacheKey('a', 224, pixels),
      await imageCacheKey('b', 224, pixels),
      await imageCacheKey('a', 448, pixels),
      await imageCacheKey('a', 224, Float32Array.of(1, 2, 4)),
    ];
    expect(new Set(keys).size).toBe(4);
    expect(await imageCacheKey('a', 224, Float32Array.of(0, 1, 2, 3).subarray(1))).toBe(keys[0]);
  });
});

describe('the cache is used if encoding an image takes longer than reading its entry', () => {
  test('not for the demo model', () => {
    const checkpoint = openCheckpoint(demoModelPath());
    expect(
      isWorthCaching(parseConfig(checkpoint.texts['config.json'], 'demo', checkpoint.tensors), checkpoint),
    ).toBe(false);
  });

  test('for the 19 B model, whose entry is 19 MB', () => {
    const published = configOf(config19B);
    expect(isWorthCaching(published, { ...openCheckpoint(tiny), tensors: new Map() })).toBe(true);
    expect(entryBytes(published)).toBe(2306 * 4096 * 2);
  });
});
