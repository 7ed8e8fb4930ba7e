/** What the chat handler needs of the server. */
import type { Logger } from 'pino';
import type { Admission } from '../admission.ts';
import type { Engine } from '../engine/engine.ts';
import type { Metrics } from '../metrics.ts';
import type { ActiveRequests } from '../requests.ts';
import type { ImageRules } from './image.ts';
import type { RequestRules } from './request.ts';

export interface ChatRules extends ImageRules, RequestRules {
  /** Most tokens of an answer. */
  maxAnswerTokens: number;
  timeLimitMs: number;
  maxBufferedBytes: number;
  pingMs: number;
}

export interface ChatContext {
  engine: Engine;
  admission: Admission;
  requests: ActiveRequests;
  metrics: Metrics;
  log: Logger;
  rules: ChatRules;
}
