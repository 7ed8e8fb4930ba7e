import { mkdirSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findModel } from '../../src/checkpoint/find.ts';
import { pull } from '../../src/hub/pull.ts';
import type { PullOptions, PullProgress } from '../../src/hub/pull-options.ts';
import { BIG, FILES, pullOptions, Source } from './source.ts';

const NAME = 'cogvlm2-llama3-chat-19B';
let source: Source;
let verified: string[];

beforeEach(async () => {
  source = await Source.open();
  verified = [];
});
afterEach(() => source[Symbol.asyncDispose]());

const options = (more: Partial<PullOptions> = {}) =>
  pullOptions(source, { offline: true, onFile: (name) => verified.push(name), ...more });

async function fill(): Promise<string> {
  const { modelPath } = await pull(NAME, options({ offline: false }));
  source.asked.length = 0;
  verified = [];
  return modelPath;
}

/** A model in the layout of ModelScope's tool. */
function modelScopeFolder(files: string[]): string {
  const place = path.join(source.folder, '.cache', 'modelscope', 'hub', 'models', 'ZhipuAI', NAME);
  mkdirSync(place, { recursive: true });
  for (const name of files) writeFileSync(path.join(place, name), FILES[name] ?? '');
  return place;
}

describe('offline', () => {
  it('finds and verifies a pulled model, and sends no request', async () => {
    const modelPath = await fill();
    const reports: PullProgress[] = [];
    const found = await pull(NAME, options({ onProgress: (report) => reports.push(report) }));
    expect(found.modelPath).toBe(modelPath);
    expect(verified.sort()).toEqual(readdirSync(modelPath).sort());
    expect(reports.at(-1)).toMatchObject({
      stage: 'verify',
      done: found.sizeBytes,
      total: found.sizeBytes,
      file: { done: 2, total: 2 },
    });
    expect(source.asked).toEqual([]);
  });

  it.each(['1', 'ON', 'yes', 'true'])('is selected by HF_HUB_OFFLINE=%s', async (value) => {
    const env = { ...options().env, HF_HUB_OFFLINE: value };
    await expect(pull(NAME, options({ offline: false, env }))).rejects.toMatchObject({
      code: 'model_not_found',
      message: expect.stringMatching(
        /is not in .*models--THUDM--.* and .*ZhipuAI.*"cogvlm2 pull .* downloads it/,
      ),
    });
    expect(source.asked).toEqual([]);
  });

  it('is not selected by HF_HUB_OFFLINE=0', async () => {
    await pull(NAME, options({ offline: false, env: { ...options().env, HF_HUB_OFFLINE: '0' } }));
    expect(verified).toHaveLength(5);
  });

  it('names the files that are missing', async () => {
    const modelPath = await fill();
    rmSync(realpathSync(path.join(modelPath, BIG))); // The link remains, but has no target.
    await expect(pull(NAME, options())).rejects.toMatchObject({
      code: 'invalid_checkpoint',
      message: expect.stringContaining(`${modelPath} lacks ${BIG}. "cogvlm2 pull`),
    });
  });

  it.each([BIG, 'config.json'])('names a damaged %s, and the remedy works', async (name) => {
    const modelPath = await fill();
    const blob = realpathSync(path.join(modelPath, name));
    writeFileSync(blob, Buffer.from(FILES[name] ?? '').fill(0, 7, 8));
    await expect(pull(NAME, options())).rejects.toMatchObject({
      code: 'invalid_checkpoint',
      message: expect.stringContaining(`${name} is damaged: ${blob}`),
    });
    rmSync(blob);
    await pull(NAME, options({ offline: false }));
    await pull(NAME, options());
  });

  it('finds the pulled commit, but no other commit', async () => {
    const modelPath = await fill();
    expect((await pull(`hf:THUDM/${NAME}@abc123`, options())).modelPath).toBe(modelPath);
    await expect(pull(`hf:THUDM/${NAME}@other`, options())).rejects.toMatchObject({
      code: 'model_not_found',
    });
  });

  it("accepts a model of ModelScope's tool without verification, because it has no hashes", async () => {
    const place = modelScopeFolder(Object.keys(FILES));
    expect((await pull(NAME, options())).modelPath).toBe(place);
    expect(verified).toEqual([]);
    await expect(pull(`${NAME}@v1`, options())).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('prefers a complete model to an incomplete one', async () => {
    modelScopeFolder(Object.keys(FILES));
    const snapshot = path.join(source.folder, 'hub', `models--THUDM--${NAME}`, 'snapshots', 'main');
    mkdirSync(snapshot, { recursive: true });
    expect((await pull(NAME, options())).modelPath).toMatch(/ZhipuAI/);
  });
});

describe('a model named in another command', () => {
  const variables = ['MODELSCOPE_CACHE', 'HF_HOME', 'HF_HUB_OFFLINE'] as const;
  const before = Object.fromEntries(variables.map((name) => [name, process.env[name]]));
  beforeEach(() => {
    process.env.MODELSCOPE_CACHE = path.join(source.folder, '.cache', 'modelscope', 'hub');
    process.env.HF_HOME = source.folder;
    delete process.env.HF_HUB_OFFLINE;
  });
  afterEach(() => {
    for (const name of variables) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });

  it('is not loaded if it is incomplete, and the error has the command for the rest', async () => {
    const place = modelScopeFolder(Object.keys(FILES).filter((name) => name !== BIG));
    await expect(findModel(NAME)).rejects.toMatchObject({
      code: 'invalid_checkpoint',
      message: `${NAME} is incomplete: ${place} lacks ${BIG}. "cogvlm2 pull ${NAME}" downloads what is missing (36.3 GiB in all).`,
    });
    writeFileSync(path.join(place, BIG), FILES[BIG] ?? '');
    expect((await findModel(NAME)).path).toBe(place);
  });

  it('is searched on this machine only, and the error names HF_HUB_OFFLINE if it prevents the remedy', async () => {
    process.env.HF_HUB_OFFLINE = '1';
    await expect(findModel(NAME)).rejects.toMatchObject({
      code: 'model_not_found',
      message: expect.stringContaining('Without HF_HUB_OFFLINE, "cogvlm2 pull'),
    });
  });
});
