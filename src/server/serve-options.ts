import type { Progress } from '../index.ts';
import type { EngineLoadOptions } from './engine/protocol.ts';

export interface ServeOptions {
  host: string;
  /** 0 takes any that is free. */
  port: number;
  apiKeys: readonly string[];
  /** Listens beyond this machine without a key. */
  insecure: boolean;
  /** Further names of the model. */
  aliases: readonly string[];
  /** The question about an image that comes without one. By default it is in the request's language. */
  imagePrompt?: string | undefined;
  parallel: number;
  maxQueue: number;
  maxPerClient?: number | undefined;
  timeLimitSeconds: number;
  drainSeconds: number;
  maxAnswerTokens?: number | undefined;
  maxBodyBytes: number;
  maxJsonBytes: number;
  maxImagePixels: number;
  allowImageUrls: boolean;
  allowImageHosts: readonly string[];
  allowedHosts: readonly string[];
  /** Origins of web pages elsewhere that may use the server; `*` is all of them. */
  corsOrigins: readonly string[];
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[];
  logLevel: string;
  logTo: { write(text: string): void };
  version: string;
  load: EngineLoadOptions;
  onLoading(progress: Progress): void;
}
