/** Makes videos for tests with ffmpeg. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import type { Video } from '../../src/video/video.ts';

/** Tests that need ffmpeg are skipped without it. */
export const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
if (!hasFfmpeg) console.warn('Tests of videos skip: there is no ffmpeg (apt-get install ffmpeg).');

export class Clips {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-video-test-'));

  constructor() {
    afterAll(() => rmSync(this.folder, { recursive: true }));
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  /** Runs ffmpeg with these options. @returns the path of the file */
  make(name: string, ...args: string[]): string {
    const made = spawnSync('ffmpeg', ['-v', 'error', '-y', ...args, this.path(name)], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`ffmpeg could not make ${name}: ${made.stderr}`);
    return this.path(name);
  }

  /** 5 seconds with 10 frames each. Frame N has the grey level that `frameOf` reads. */
  counter(name: string, ...args: string[]): string {
    const frames = "color=black:s=64x36:r=10:d=5,geq=lum='4*N+20':cb=128:cr=128,format=yuv420p";
    return this.make(name, '-f', 'lavfi', '-i', frames, ...args);
  }
}

/** Mean and standard deviation of red in CLIP. */
const [mean, deviation] = [0.48145466, 0.26862954];

/** Returns the numbers of the frames of a `counter`. */
export function framesOf({ pixels, frameTexts }: Video): number[] {
  const size = pixels.length / frameTexts.length;
  return frameTexts.map((_, i) => {
    const channel = pixels.subarray(i * size, i * size + size / 3);
    const average = channel.reduce((sum, value) => sum + value, 0) / channel.length;
    const luma = (average * deviation + mean) * 219 + 16;
    return Math.max(0, Math.round((luma - 20) / 4));
  });
}
