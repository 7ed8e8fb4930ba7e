/** What the parts of the server need of each other. `create-parts.ts` makes it from the options. */
import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Logger } from 'pino';
import type { ApiKeys } from './access.ts';
import type { Admission } from './admission.ts';
import type { BodyLimits } from './body/read-json.ts';
import type { Uploads } from './body/uploads.ts';
import type { RequestRules } from './chat/request.ts';
import type { ImageRules } from './chat/visual.ts';
import type { Engine } from './engine/engine.ts';
import type { Metrics } from './metrics.ts';
import type { Page } from './page.ts';
import type { ActiveRequests } from './requests.ts';

/** What the chat handler needs. */
export interface ChatContext {
  engine: Engine;
  admission: Admission;
  requests: ActiveRequests;
  metrics: Metrics;
  log: Logger;
  rules: ChatRules;
}

export interface ChatRules extends ImageRules, RequestRules {
  /** Most tokens of an answer. */
  maxAnswerTokens: number;
  timeLimitMs: number;
  maxBufferedBytes: number;
  pingMs: number;
}

/** What the routes and the middleware need. */
export interface AppParts extends ChatContext {
  facts: Facts;
  uploads: Uploads;
  bodyLimits: BodyLimits;
  keys: ApiKeys;
  /** Whether an address is that of a proxy whose X-Forwarded-For is believed. */
  isTrustedProxy(address: string): boolean;
  page: Page;
  /** The names that the Host header may have; null checks none. */
  hosts: readonly string[] | null;
  /** Web pages elsewhere that may use this server. */
  origins: readonly string[];
}

export interface Facts {
  version: string;
  /** Seconds since 1970: when the server began. */
  startedAt: number;
  allowsImageUrls: boolean;
  /** Set once the server has begun to end. */
  draining: boolean;
}

export interface Env {
  /** Absent where a test calls the app without a socket. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    /** Of the request. */
    id: string;
    /** Who asks: a key or an address, as the queue and the log name it. */
    client: string;
  };
}

export type App = Hono<Env>;
