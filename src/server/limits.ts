import { mostFrames } from '../video/sampling.ts';

/**
 * Limits of requests without flags. They are checked on the parsed JSON, before anything is built from it.
 * docs/security.md lists them; a test compares the two.
 */
export const REQUEST_LIMITS = {
  /** Nesting of lists and objects in a body. */
  depth: 100,
  /** Values of a body: texts, numbers, lists and objects. */
  values: 100_000,
  /** Fields of one object. */
  fields: 5_000,
  messages: 2_048,
  /** Content parts of all messages together. */
  parts: 4_096,
  /** Calls in the assistant's messages, together. */
  toolCalls: 2_048,
  tools: 128,
  /** Ids of `/detokenize`. */
  tokens: 32_768,
  /** Frames of a video that are sent as images. The model reads at most this number. */
  frames: mostFrames,
  /** Maximum second of a frame. */
  frameSecond: 999,
  stopStrings: 16,
  /** Unknown fields in the whole body. */
  unknownFields: 1_000,
  /** Characters of one tool, a JSON schema, or any other field besides messages, as JSON. */
  fieldCharacters: 131_072,
} as const;

/** Time limits of ffprobe and ffmpeg for a video. */
export const VIDEO_LIMITS = { timeoutMs: 60_000 } as const;

/** Time for the headers of a request. */
export const HEADERS_TIMEOUT_MS = 15_000;

/**
 * A connection is paused while this many bytes of its body are not read. It is less than the default of Node.js: in a body that
 * arrives in chunks of one byte, each byte is an object.
 */
export const STREAM_BUFFER_BYTES = 4_096;

/**
 * Limits of HTTP parsing in one turn of the event loop: the bytes of one connection, and the time of all connections together. A
 * connection whose piece takes longer than `costlyMs` has a lower priority.
 */
export const PARSE_LIMITS = { pieceBytes: 8_192, turnMs: 5, costlyMs: 1 } as const;

/**
 * `idle`: connections without a request; a further one closes the oldest of them. `pipelined`: requests of one connection that are sent
 * before the previous one is answered.
 */
export const CONNECTION_LIMITS = { idle: 1_000, pipelined: 8 } as const;

/** Minimum average rate of a body, after its first seconds. */
export const UPLOAD_LIMITS = { graceMs: 10_000, minBytesPerSecond: 4_096 } as const;

/** The part of a refused body that is read, so that the client receives the answer. Then the connection is closed. */
export const DISCARD_LIMITS = { timeoutMs: 5_000, extraBytes: 32 * 2 ** 20 } as const;

/** Limits for fetching images. */
export const IMAGE_FETCH_LIMITS = {
  timeoutMs: 10_000,
  maxBytes: 20_000_000,
  maxRedirects: 3,
  /** Maximum length of the address. */
  maxCharacters: 8_192,
} as const;

/**
 * Limits for rendering the pages of a PDF. A client that reads no page for `slowReaderMs` is disconnected. While another client waits, a
 * client is also disconnected after waiting times of `idleMs` in total.
 */
export const PAGES_LIMITS = { pages: 500, slowReaderMs: 30_000, idleMs: 5_000 } as const;
