/**
 * The messages between the server and the engine's process. They are sent by structured clone, so image bytes stay bytes.
 * Each request has an id, and all messages about it carry that id. An image has an id, too, because several requests can use it.
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
import type { Video } from '../../video/video.ts';

export type EngineLoadOptions = Omit<LoadOptions, 'onProgress' | 'signal'>;

/** The fields of a video that was read, without its pixels. */
export type VideoFacts = Omit<Video, 'pixels'>;

export interface AskRequest {
  /** The image file; with `video` the pixels of its frames, as float32; or null. */
  image: Uint8Array | null;
  video?: VideoFacts | null;
  question: string;
  history: readonly Turn[];
  options: Omit<GenerateOptions, 'signal' | 'onState' | 'history'>;
}

/** Calls besides answers, with one value each. */
export interface EngineCalls {
  check(hasImage: boolean, prompt: Omit<AskRequest, 'image'>, frameTexts?: readonly string[]): PromptSize;
  tokenize(text: string): number[];
  detokenize(ids: readonly number[]): string;
  stats(): EngineStats;
}

export interface EngineStats extends Stats {
  processId: number;
  /** Resident memory of the engine's process. */
  residentBytes: number;
  /** Longest block of its event loop since the last call. */
  eventLoopMs: number;
}

export type ToEngine =
  | { type: 'load'; options: EngineLoadOptions }
  /** The next piece of an image of `sizeBytes` bytes. */
  | { type: 'image'; imageId: number; sizeBytes: number; bytes: Uint8Array }
  /** No later request uses this image. */
  | { type: 'release'; imageId: number }
  | { type: 'ask'; id: number; imageId: number | null; request: Omit<AskRequest, 'image'> }
  | { type: 'stop'; id: number }
  | { type: 'call'; id: number; name: keyof EngineCalls; args: unknown[] };

export interface Failure {
  /** Undefined for other errors than CogVLM2Error. */
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

/** One end of the channel. */
export interface Port<Out, In> {
  /** Does nothing when the other end is gone; `onClose` reports that. */
  send(message: Out): void;
  onMessage(listener: (message: In) => void): void;
  /** @param listener gets the reason in words */
  onClose(listener: (why: string) => void): void;
}

/** The part of the model that the engine's process uses. */
export type HostedModel = Pick<
  CogVLM2,
  'info' | 'ask' | 'checkInBackground' | 'tokenizeInBackground' | 'detokenize' | 'stats'
>;
