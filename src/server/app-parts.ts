/** The parts of the server that other parts use. `create-parts.ts` makes them from the options. */
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

/** Rules of the chat handler. */
export interface ChatContext {
  engine: Engine;
  admission: Admission;
  requests: ActiveRequests;
  metrics: Metrics;
  log: Logger;
  rules: ChatRules;
}

export interface ChatRules extends ImageRules, RequestRules {
  /** Maximum number of tokens of an answer. */
  maxAnswerTokens: number;
  timeLimitMs: number;
  maxBufferedBytes: number;
  pingMs: number;
}

/** Parts for the routes and the middleware. */
export interface AppParts extends ChatContext {
  facts: Facts;
  uploads: Uploads;
  bodyLimits: BodyLimits;
  keys: ApiKeys;
  /** Whether an address is that of a trusted proxy. The X-Forwarded-For header of trusted proxies is used. */
  isTrustedProxy(address: string): boolean;
  page: Page;
  /** Accepted names of the Host header; null: no check. */
  hosts: readonly string[] | null;
  /** Other origins whose pages may use this server. */
  origins: readonly string[];
}

export interface Facts {
  version: string;
  /** Start of the server, in seconds since 1970. */
  startedAt: number;
  allowsImageUrls: boolean;
  /** True when the server is shutting down. */
  draining: boolean;
}

export interface Env {
  /** Absent if a test calls the app without a socket. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    /** Id of the request. */
    id: string;
    /** The client: the name of a key, or an address. The queue and the log use it. */
    client: string;
  };
}

export type App = Hono<Env>;
