import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { config19B, tensorShapes } from '../../src/checkpoint/published-layout.ts';
import { renderPlan } from '../../src/cli/commands/plan.ts';
import { formatBytes, formatDuration, renderTable } from '../../src/cli/format.ts';
import { CogVLM2Error } from '../../src/errors.ts';
import type { PullOptions } from '../../src/hub/pull-options.ts';
import { nearest } from '../../src/messages.ts';
import { planMemory } from '../../src/model/memory-plan.ts';
import { measureParts } from '../../src/model/parts.ts';
import { configOf } from '../model/tiny-checkpoint.ts';
import { cli } from './memory-terminal.ts';
import { scriptedLibrary } from './scripted-model.ts';

describe('models', () => {
  it('lists name, size, type, format and path', async () => {
    const { out } = await cli(['models'], scriptedLibrary().library);
    expect(out).toBe(
      'NAME  SIZE     TYPE  FORMAT       WHERE\ndemo  23.4 MB  bf16  safetensors  /models/demo\n',
    );
  });

  it('prints an object with --json', async () => {
    const { out } = await cli(['models', '--json'], scriptedLibrary().library);
    expect(JSON.parse(out).models).toMatchObject([{ name: 'demo', sizeBytes: 23_400_000 }]);
  });

  it('says where models belong if there are none', async () => {
    const library = { ...scriptedLibrary().library, listModels: async () => [] };
    expect(await cli(['models'], library)).toMatchObject({ exitCode: 0, out: '', err: /COGVLM2_MODELS/ });
  });
});

describe('pull', () => {
  it('prints why it waits, once for equal failures, and not for short waits', async () => {
    const scripted = scriptedLibrary().library;
    const library = {
      ...scripted,
      pull: (name: string, options: PullOptions) => {
        for (const ms of [1_000, 4_000, 4_000, 8_000]) options.onPause('the connection was cut', ms);
        return scripted.pull(name, options);
      },
    };
    const { err, out } = await cli(['pull', 'some'], library);
    expect(err).toBe(
      'cogvlm2: the connection was cut; next try in 4.0 s\n' +
        'cogvlm2: the connection was cut; next try in 8.0 s\n' +
        'config.json  10 B, verified\n',
    );
    expect(out).toBe('THUDM/some at Hugging Face: 1 files, 10 B, in /cache/snapshot.\n');
    expect((await cli(['pull', 'some', '--quiet'], library)).err).toBe('');
  });
});

describe('plan', () => {
  const demo = 'models/demo';

  it('shows the memory of a model by device', async () => {
    const { exitCode, out, err } = await cli(['plan', demo, '--device', 'cpu'], scriptedLibrary().library);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    expect(out).toMatch(/^PART +BYTES +WHERE$/m);
    expect(out).toMatch(/^tower +\d+\.\d MB +CPU$/m);
    expect(out).toMatch(/^keys and values +\d+\.\d MB +2,048 tokens; CPU$/m);
    expect(out).toMatch(/^CPU +[\d.]+ MB +peak; [\d.]+ GB free$/m);
  });

  it('halves the KV cache with the context, and prints an object', async () => {
    const bytes = async (...flags: string[]) => {
      const { out } = await cli(
        ['plan', demo, '--device', 'cpu', '--json', ...flags],
        scriptedLibrary().library,
      );
      return JSON.parse(out).cacheBytes;
    };
    expect(await bytes('--context', '1024')).toBe((await bytes()) / 2);
  });

  it('plans a published model before its download, in the published type or another', async () => {
    const name = 'cogvlm2-llama3-chat-19B';
    const planned = async (...flags: string[]) => {
      const run = await cli(['plan', name, '--device', 'cpu', '--json', ...flags], scriptedLibrary().library);
      expect(run.err).toContain(
        `cogvlm2: ${name} is not on this machine; this is the plan of its published layout.`,
      );
      const plan = JSON.parse(run.out);
      const weights = plan.parts.reduce(
        (sum: number, part: { sizeBytes: number }) => sum + part.sizeBytes,
        0,
      );
      return { ...plan, weights };
    };
    // 19,503,105,280 parameters of two bytes. Keys and values need 131,072 bytes per token.
    const { weights, cacheBytes, isDownloaded } = await planned();
    expect(Math.abs(weights / (2 * 19_503_105_280) - 1)).toBeLessThan(0.001);
    expect({ cacheBytes, isDownloaded }).toEqual({ cacheBytes: 8192 * 131_072, isDownloaded: false });
    expect((await planned('--type', 'int4')).weights).toBeLessThan(0.35 * weights);
  });

  it('refuses a context that is too long for the model, and a missing device', async () => {
    const context = await cli(['plan', demo, '--context', '9999'], scriptedLibrary().library);
    expect(context).toMatchObject({ exitCode: 2, err: expect.stringContaining('from 1 to 2048') });
    const device = await cli(['plan', demo, '--device', 'abacus'], scriptedLibrary().library);
    expect(device).toMatchObject({ exitCode: 2, err: expect.stringContaining('"abacus"') });
  });

  it('shows the parts on a GPU, and says why a model does not fit', () => {
    const whole = planned(10e9, 22e9);
    const text = renderPlan(whole);
    expect(text).toMatch(/^vision experts .* of 32 layers on GPU0, the rest on CPU$/m);
    expect(text).toMatch(/^tower .* GPU0$/m);
    expect(text).not.toContain('packed copies');
    const packed = renderPlan(planned(0, 22e9, 4e9));
    expect(packed).toMatch(
      /^packed copies +4\.0 GB .*optional; needs twice this size free \(available now\); CPU$/m,
    );
    expect(packed).toMatch(/^CPU .* 22\.0 GB free; \d+\.\d GB with the packed copies$/m);
    expect(renderPlan(planned(0, 7e9, 4e9))).toMatch(/^packed copies .*\(not available now\); CPU$/m);
    expect(planned(0, 3e9).problem).toContain('3.0 GB are free');
  });
});

describe('doctor', () => {
  it('shows everything in one block', async () => {
    const env = { COGVLM2_THREADS: '2', COGVLM2_THREDS: '2', XDG_STATE_HOME: '/state', OTHER: 'secret' };
    const { exitCode, out } = await cli(['doctor'], scriptedLibrary().library, { env });
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^cogvlm2 +\d+\.\d+\.\d+$/m);
    expect(out).toMatch(/^libraries +ggml 1\.2\.3, commit abc123, \/libraries$/m);
    expect(out).toMatch(/^devices +CPU \(cpu\): A processor, 8\.0 GB, 4\.0 GB free$/m);
    expect(out).toMatch(/^packed +q4_0, q4_k: /m);
    expect(out).toMatch(/^for a GPU +npm install a-gpu@1, and the driver of the card$/m);
    expect(out).toMatch(/^models +demo: 23\.4 MB, bf16, safetensors, \/models\/demo$/m);
    expect(out).toMatch(/state \/state\/cogvlm2$/m);
    expect(out).toMatch(
      /^warning +cogvlm2 has no variable COGVLM2_THREDS \(did you mean COGVLM2_THREADS\?\)$/m,
    );
    expect(out).not.toContain('secret');
  });

  it('lists the temporary folders that killed processes left', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-doctor-test-'));
    vi.stubEnv('TMPDIR', folder);
    vi.stubEnv('TEMP', folder);
    try {
      const left = path.join(folder, 'cogvlm2-video-999999999-abcdef');
      mkdirSync(left);
      const { out } = await cli(['doctor'], scriptedLibrary().library);
      expect(out).toContain(`${left}: left by a process that was killed; delete it`);
    } finally {
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true });
    }
  });

  it('says why the engine does not work, with status 6', async () => {
    const library = {
      ...scriptedLibrary().library,
      libraryInfo: async () => {
        throw new CogVLM2Error('engine_unavailable', 'There is no engine for sparc.');
      },
    };
    const { exitCode, out, err } = await cli(['doctor'], library);
    expect({ exitCode, err }).toEqual({ exitCode: 6, err: '' });
    expect(out).toMatch(/^libraries +not working: There is no engine for sparc\.$/m);
    const report = JSON.parse((await cli(['doctor', '--json'], library)).out);
    expect(report.libraries).toEqual({ problem: 'There is no engine for sparc.' });
    expect(report.devices.value).toHaveLength(1);
  });
});

describe('trace', () => {
  it('says how much was written', async () => {
    const { exitCode, out } = await cli(
      ['trace', 'demo', 'in.safetensors', 'out.safetensors', '--compute', 'f32'],
      scriptedLibrary().library,
    );
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^42 tensors, 1\.0 MB, written to out\.safetensors in \d+ ms\.\n$/);
  });
});

describe('convert', () => {
  it('says how much was written', async () => {
    const { exitCode, out } = await cli(['convert', 'demo', 'out.gguf'], scriptedLibrary().library);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^91 tensors, 5\.2 MB, written to out\.gguf in \d+ ms\.\nbf16 5\.2 MB\.\n$/);
  });

  it.each([
    [0, '46 tensors had 4 bits (bitsandbytes) and are unpacked exactly.'],
    [40, '46 tensors had 4 bits (bitsandbytes); 40 were rounded a second time.'],
  ])('reports unpacked weights, of which %i changed', async (changed, sentence) => {
    const { library } = scriptedLibrary();
    const convert: typeof library.convert = async (...args) => ({
      ...(await library.convert(...args)),
      unpacked: { tensors: 46, changed },
    });
    const { out } = await cli(['convert', 'demo', 'out.gguf'], { ...library, convert });
    expect(out).toContain(sentence);
  });

  it('requires both names', async () => {
    const { exitCode, err } = await cli(['convert', 'demo'], scriptedLibrary().library);
    expect(exitCode).toBe(2);
    expect(err).toMatch(/out\.gguf/i);
  });
});

describe('words', () => {
  it('formats sizes and times for people', () => {
    expect([0, 999, 1000, 999_600, 23_400_000, 38e9].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '1.0 MB',
      '23.4 MB',
      '38.0 GB',
    ]);
    expect([3, 1500, 42_000, 125_000, 3_720_000].map(formatDuration)).toEqual([
      '3 ms',
      '1.5 s',
      '42 s',
      '2 min 5 s',
      '1 h 2 min',
    ]);
  });

  it('finds the nearest name, or none', () => {
    expect(nearest('tempreature', ['temperature', 'template'])).toBe('temperature');
    expect(nearest('/hepl', ['/help', '/history'])).toBe('/help');
    expect(nearest('banana', ['ask', 'chat'])).toBeUndefined();
  });

  it('aligns columns', () => {
    expect(
      renderTable([
        ['A', 'B'],
        ['long', ''],
      ]),
    ).toBe('A     B\nlong\n');
  });
});

/** The 19 B model with half a byte per number in every tensor. */
function planned(gpuBytes: number, cpuBytes: number, packableBytes = 0) {
  const tensors = Array.from(tensorShapes(config19B), ([name, shape]) => {
    const sizeBytes = shape.reduce((a, b) => a * b, 0.5);
    return { name, shape, sizeBytes, type: 'q4_k' as const, file: '', offsetBytes: 0 };
  });
  const config = configOf(config19B);
  const sizes = measureParts(tensors, { isFloat32: false });
  const demand = { config, sizes, contextSize: 8192, kvTokens: 8192, isFloat32: false, packableBytes };
  return planMemory(
    demand,
    { name: 'CPU', freeBytes: cpuBytes },
    gpuBytes > 0 ? { name: 'GPU0', freeBytes: gpuBytes } : null,
  );
}
