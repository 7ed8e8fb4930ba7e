/**
 * What the server and the engine's process say to each other. Messages go by structured clone: a picture's bytes stay
 * bytes. Every request has an id; what belongs to it carries the same.
 */
import type {
  AnswerEvent,
  CogVLM2,
  ErrorCode,
  GenerateOptions,
  LoadOptions,
  ModelInfo,
  Progress,
  PromptSize,
  SequenceState,
  Stats,
  Turn,
} from '../../index.ts';

export type EngineLoadOptions = Omit<LoadOptions, 'onProgress' | 'signal'>;

export interface AskRequest {
  /** The encoded file, or no picture. */
  image: Uint8Array | null;
  question: string;
  history: readonly Turn[];
  options: Omit<GenerateOptions, 'signal' | 'onState' | 'history'>;
}

/** What can be asked of the engine besides answers: one value for one call. */
export interface EngineCalls {
  check(hasImage: boolean, prompt: Omit<AskRequest, 'image'>): PromptSize;
  tokenize(text: string): number[];
  detokenize(ids: readonly number[]): string;
  stats(): EngineStats;
}

export interface EngineStats extends Stats {
  processId: number;
  /** Resident memory of the engine's process. */
  residentBytes: number;
}

export type ToEngine =
  | { type: 'load'; options: EngineLoadOptions }
  | { type: 'ask'; id: number; request: AskRequest }
  | { type: 'stop'; id: number }
  | { type: 'call'; id: number; name: keyof EngineCalls; args: unknown[] };

export interface Failure {
  /** Undefined for what is no CogVLM2Error. */
  code: ErrorCode | undefined;
  message: string;
  details: Readonly<Record<string, number>>;
  stack: string | undefined;
}

export type FromEngine =
  | { type: 'loading'; progress: Progress }
  | { type: 'ready'; info: ModelInfo }
  | { type: 'unloadable'; failure: Failure }
  | { type: 'state'; id: number; state: SequenceState }
  | { type: 'event'; id: number; event: AnswerEvent }
  | { type: 'value'; id: number; value: unknown }
  | { type: 'failed'; id: number; failure: Failure };

/** One end of the line between the two. */
export interface Port<Out, In> {
  /** Nothing happens when the other end is gone: `onClose` tells that. */
  send(message: Out): void;
  onMessage(listener: (message: In) => void): void;
  /** @param listener gets the reason in words */
  onClose(listener: (why: string) => void): void;
}

/** The part of the model that the engine's process uses. */
export type HostedModel = Pick<CogVLM2, 'info' | 'ask' | 'check' | 'tokenize' | 'detokenize' | 'stats'>;
