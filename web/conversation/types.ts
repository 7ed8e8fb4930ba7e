import type { Failure } from '../api/connection.ts';
import type { Evidence } from '../document/evidence.ts';
import type { Place } from '../document/place.ts';

/** Stored data. A conversation is a tree of turns: asking again, or editing a question, adds a branch. */
export interface Conversation {
  id: string;
  /** The name that the user gave; null: the page uses the name of its image. */
  title: string | null;
  /** Milliseconds since 1970. */
  createdAt: number;
  updatedAt: number;
  turns: Turn[];
  /** The visible child, by the parent's id (`''` for the first turns). Without an entry, the newest. */
  chosen: Record<string, string>;
}

export interface Turn {
  id: string;
  parentId: string | null;
  createdAt: number;
  question: string;
  /** The image that was added with this question. */
  imageId: string | null;
  /** The part of the image that the question is about; null: all of it. */
  region: Place | null;
  answer: Answer;
}

export type AnswerState = 'running' | 'done' | 'stopped' | 'interrupted' | 'failed';

export interface Answer {
  state: AnswerState;
  text: string;
  finishReason: string | null;
  model: string | null;
  usage: Usage | null;
  speed: Speed | null;
  failure: Failure | null;
  /** Warnings of the server. */
  warning: string | null;
  /** Where in the image it was read, if the server reported it. */
  evidence: Evidence | null;
}

export interface Usage {
  promptTokens: number;
  /** Prompt tokens of the image. */
  imageTokens: number;
  completionTokens: number;
}

interface Speed {
  firstTokenMs: number;
  tokensPerSecond: number | null;
}

/** An image or a video in the form that is sent, and its original properties. */
export interface StoredImage {
  id: string;
  name: string;
  blob: Blob;
  width: number;
  height: number;
  /** Set when the page made it smaller or converted it. */
  original: { width: number; height: number; sizeBytes: number; type: string } | null;
  /** A small JPEG as a data URL, for lists. */
  thumbnail: string;
  /** Set for an image that the page made by rotating another one. */
  rotation: Rotation | null;
  /** Set for a video; `blob` is its first frame then. */
  video: Clip | null;
}

export interface Clip {
  /** Null if the server cannot read video files, or none of this size. */
  file: Blob | null;
  /** JPEGs; empty if the browser cannot play the file. */
  frames: { second: number; blob: Blob }[];
  durationSeconds: number | null;
}

export interface Rotation {
  /** The id of the image as it was added. */
  of: string;
  /** Clockwise, 0 to 3. */
  quarterTurns: number;
}

/** The content of the composer, for a conversation or a new one. */
export interface Draft {
  text: string;
  imageId: string | null;
  region: Place | null;
}
