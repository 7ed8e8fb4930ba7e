/** Options, progress and result of `pull`, from a source and from the cache. */

import type { SourceName } from './repository.ts';

export interface PullOptions {
  source: SourceName | 'auto';
  /** Concurrent requests: for small files, or for parts of a large one. */
  parallel: number;
  /** Larger files are fetched in parts of this size. A part stays in memory until it can be written. */
  partBytes?: number;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** A connection without data for this long is closed, and the request is retried. */
  stallMs: number;
  pauseMs: (attempt: number) => number;
  /** Called before a request is retried, with the reason and the delay. */
  onPause: (why: string, ms: number) => void;
  /** Uses the cache only, without network requests. `HF_HUB_OFFLINE` in `env` does the same. */
  offline: boolean;
  onProgress: (progress: PullProgress) => void;
  /** Called when a file is present and verified. */
  onFile: (name: string, sizeBytes: number) => void;
}

/** Bytes of all files, and the file that changed last. Both numbers can decrease. */
export interface PullProgress {
  /** `download`: bytes arrive from the source. `verify`: bytes that were already present are read. */
  stage: 'download' | 'verify';
  done: number;
  total: number;
  file: { name: string; done: number; total: number };
}

export interface Pulled {
  title: string;
  modelPath: string;
  files: number;
  sizeBytes: number;
}
