/** Options, progress and result of `pull`. */
import type { SourceName } from './names.ts';

export interface PullOptions {
  source: SourceName | 'auto';
  /** Requests at the same time: for small files, or for parts of a large one. */
  parallel: number;
  /** What is larger is fetched in parts of this size, which wait in memory for their turn to be written. */
  partBytes?: number;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** A connection that is silent for so long is given up and taken up again. */
  stallMs: number;
  pauseMs: (attempt: number) => number;
  /** Called before a failed request is made again, with why it failed, and when. */
  onPause: (why: string, ms: number) => void;
  /** Asks nobody; what is in the cache must do. So does `HF_HUB_OFFLINE` in `env`. */
  offline: boolean;
  onProgress: (progress: PullProgress) => void;
  /** A file is there and verified. */
  onFile: (name: string, sizeBytes: number) => void;
}

/** How far all files are, in bytes, and the one of them that has just got on; both can also become less. */
export interface PullProgress {
  /** `download`: bytes come from the source; `verify`: what lay there already is read, and counts as far as it is read. */
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
