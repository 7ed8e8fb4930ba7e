/**
 * The two files that an evaluation leaves behind.
 *
 * Predictions are JSON lines, appended as answers come: first a header with everything that answers depend on, then one
 * line per question. Where an id occurs more than once the last line holds, so a failure can be followed by an answer.
 * Results are one JSON object: a benchmark's score of a predictions file by one profile, and each question's own.
 */
import { z } from 'zod';
import { benchmarks, profiles } from './benchmarks.ts';

/** 16 hexadecimal digits that tell files apart by their content; see `fingerprint.ts`. */
const fingerprint = z.string();

const checkpoint = z.object({
  kind: z.literal('checkpoint'),
  name: z.string(),
  /** Bytes of each stored type, such as `{ bf16: 5217152 }`. */
  types: z.record(z.string(), z.number()),
  sizeBytes: z.number(),
  fingerprint,
  compute: z.enum(['auto', 'f32']),
  /** LoRA adapters beside the weights. */
  adapters: z.array(z.object({ name: z.string(), scale: z.number(), fingerprint })).optional(),
});

const endpoint = z.object({
  kind: z.literal('endpoint'),
  /** The model's name there. */
  name: z.string(),
  /** Base address, without a key. */
  url: z.string(),
});

/** What answers depend on. A run goes on only where all of it is the same. */
const settingsSchema = z.object({
  benchmark: z.enum(benchmarks),
  data: z.object({ name: z.string(), sizeBytes: z.number(), fingerprint }),
  /** Null is all of it. */
  subset: z.string().nullable(),
  model: z.discriminatedUnion('kind', [checkpoint, endpoint]),
  /** Whose prompts. */
  profile: z.enum(profiles),
  /** Null at an endpoint, which has its own. */
  template: z.enum(['chat', 'vqa', 'base']).nullable(),
  /** Which pictures of a question are shown. */
  pictures: z.enum(['first', 'all']),
  /** Null is what the model or the endpoint does by itself. */
  maxTokens: z.number().nullable(),
  temperature: z.number(),
  topK: z.number().nullable(),
  topP: z.number().nullable(),
  seed: z.number().nullable(),
});
export type Settings = z.infer<typeof settingsSchema>;

export const headerSchema = z.object({
  kind: z.literal('cogvlm2-predictions'),
  version: z.literal(1),
  settings: settingsSchema,
  /** Which part of the questions this file is for, from 1. */
  shard: z.object({ index: z.number(), count: z.number() }).nullable(),
  /** Where and when it was begun: answers should not depend on it. */
  origin: z.object({ cogvlm2: z.string(), startedAt: z.string(), device: z.string().nullable() }),
});
export type Header = z.infer<typeof headerSchema>;

/** Beside these fields a line has those of the question's own row, pictures left out, so that it can be scored alone. */
export const predictionSchema = z.looseObject({
  id: z.string(),
  prediction: z.string(),
  run: z.object({
    /** The question's place in the data, from 0. */
    row: z.number(),
    finishReason: z.enum(['stop', 'length']),
    completionTokens: z.number().nullable(),
    /** From the question to its whole answer; waiting for others is included. */
    durationMs: z.number(),
  }),
});
export type Prediction = z.infer<typeof predictionSchema>;

/** A question that got no answer: a broken row, a picture that cannot be read, an endpoint that refuses. Asked again. */
export const failureSchema = z.looseObject({
  id: z.string(),
  error: z.object({ code: z.string(), message: z.string() }),
  run: z.object({ row: z.number() }),
});
export type Failure = z.infer<typeof failureSchema>;

const percentOrPoints = z.number().nullable();

export const resultsSchema = z.object({
  kind: z.literal('cogvlm2-results'),
  version: z.literal(1),
  benchmark: z.enum(benchmarks),
  /** Whose scoring rules. */
  profile: z.enum(profiles),
  /** Per cent, on OCRBench points; null without questions. */
  score: percentOrPoints,
  parts: z.array(z.object({ name: z.string(), score: percentOrPoints })),
  questions: z.number(),
  /** Counted as wrong: what the reference would draw at random or give to a judge. */
  undecided: z.number(),
  /** Answers without a character. */
  empty: z.number(),
  /** Rows without a score, not counted as questions. */
  broken: z.number(),
  /** Who judged; null is exact matching. */
  judge: z.object({ name: z.string(), url: z.string() }).nullable(),
  /** What the system was called when its answers were scored; the results of one name are one row of a report. */
  name: z.string().optional(),
  /** Of the run that made the predictions; null where they came from elsewhere. */
  settings: settingsSchema.nullable(),
  rows: z.array(
    z.object({
      id: z.string(),
      /** The question's place in the data, from 0; null where it is not known. */
      row: z.number().nullable(),
      question: z.string().nullable(),
      answers: z.array(z.string()),
      prediction: z.string().nullable(),
      /** 0 to 1; null where undecided or broken. */
      score: z.number().nullable(),
      /** What was read from the prediction, where the benchmark reads anything. */
      parsed: z.unknown().optional(),
      /** Why there is no score. */
      error: z.string().optional(),
    }),
  ),
});
export type Results = z.infer<typeof resultsSchema>;
