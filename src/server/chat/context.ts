/** What the chat handler needs of the server. */
import type { Logger } from 'pino';
import type { Engine } from '../engine/engine.ts';
import type { Metrics } from '../metrics.ts';
import type { FairQueue } from '../queue.ts';
import type { RunningRequests } from '../running.ts';
import type { ImageRules } from './image.ts';

export interface ChatRules extends ImageRules {
  /** The names that a request may call the model by; the first is the model's own. */
  names: readonly string[];
  maxAnswerTokens: number;
  timeLimitMs: number;
  maxBufferedBytes: number;
  pingMs: number;
}

export interface ChatContext {
  engine: Engine;
  queue: FairQueue;
  running: RunningRequests;
  metrics: Metrics;
  log: Logger;
  rules: ChatRules;
}
