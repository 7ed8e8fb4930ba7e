/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/** The library's public face. */

export type { AdapterSource } from './checkpoint/peft/adapter.ts';
export { CogVLM2Error, type ErrorCode } from './errors.ts';
export type { AdapterInfo, AdapterOptions } from './generate/adapters.ts';
export type { AnswerStream } from './generate/answer-stream.ts';
export { CogVLM2 } from './generate/cogvlm2.ts';
export type { Conversation } from './generate/conversation.ts';
export type { Evidence, EvidenceCell, TokenEvidence } from './generate/evidence.ts';
export type { Extraction, ExtractOptions, FieldExtraction, FieldOptions } from './generate/extract.ts';
export type { LoadOptions } from './generate/load-options.ts';
export type { TokenLogprobs, TokenProbability } from './generate/logprobs.ts';
export type { ModelInfo } from './generate/model-info.ts';
export type { SequenceState } from './generate/sequence.ts';
export type {
  Answer,
  AnswerEvent,
  FinishReason,
  GenerateOptions,
  Progress,
  PromptSize,
  SamplingOptions,
  Stats,
  Timings,
  Turn,
  Usage,
} from './generate/types.ts';
export type { AnswerFormat } from './grammar/answer-grammar.ts';
export { type DrawnBox, drawBoxes } from './image/draw.ts';
export type { ImageSource } from './image/source.ts';
export type { EncodedImage } from './model/encoded-image.ts';
export { type AnswerBox, boxesIn, pixelsOf } from './text/boxes.ts';
export type { TimedFrame } from './video/video.ts';
