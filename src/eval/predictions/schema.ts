/**
 * The two file formats of an evaluation.
 *
 * Predictions are JSON lines, appended as answers arrive: a header with all settings that the answers depend on, then one
 * line per question. If an id occurs more than once, the last line counts, so that an answer can follow a failure.
 * Results are one JSON object: the score of a predictions file by one profile, and the score of each question.
 */
import { z } from 'zod';
import { withOldName } from '../../run/resume.ts';
import { benchmarks, profiles } from '../benchmarks.ts';

/** 16 hexadecimal digits; see `fingerprint.ts`. */
const fingerprint = z.string();

const checkpoint = z.object({
  kind: z.literal('checkpoint'),
  name: z.string(),
  /** Bytes of each stored type, such as `{ bf16: 5217152 }`. */
  types: z.record(z.string(), z.number()),
  sizeBytes: z.number(),
  fingerprint,
  compute: z.enum(['auto', 'f32']),
  /** LoRA adapters that run without a merge. */
  adapters: z.array(z.object({ name: z.string(), scale: z.number(), fingerprint })).optional(),
});

const endpoint = z.object({
  kind: z.literal('endpoint'),
  /** The name of the model at the server. */
  name: z.string(),
  /** URL of the server, without a key. */
  url: z.string(),
  /** Limits that images were encoded again to fit. */
  imageLimits: z.object({ maxBytes: z.number().optional(), maxSide: z.number().optional() }).optional(),
});

/** The settings that answers depend on. A run can be resumed only with the same settings. */
const settings = z.object({
  benchmark: z.enum(benchmarks),
  data: z.object({ name: z.string(), sizeBytes: z.number(), fingerprint }),
  /** Null: all questions. */
  subset: z.string().nullable(),
  model: z.discriminatedUnion('kind', [checkpoint, endpoint]),
  /** Selects the prompts. */
  profile: z.enum(profiles),
  /** Null for a server, which has its own template. */
  template: z.enum(['chat', 'vqa', 'base']).nullable(),
  /** The images of a question that are used. */
  images: z.enum(['first', 'all']),
  /** Null: the default of the model or the server. */
  maxTokens: z.number().nullable(),
  temperature: z.number(),
  topK: z.number().nullable(),
  topP: z.number().nullable(),
  seed: z.number().nullable(),
});

const settingsSchema = withOldName(settings, 'images', 'pictures');
export type Settings = z.infer<typeof settingsSchema>;

export const headerSchema = z.object({
  kind: z.literal('cogvlm2-predictions'),
  version: z.literal(1),
  settings: settingsSchema,
  /** The part of the questions in this file, from 1. */
  shard: z.object({ index: z.number(), count: z.number() }).nullable(),
  /** Where and when the run began. Answers do not depend on it. */
  origin: z.object({ cogvlm2: z.string(), startedAt: z.string(), device: z.string().nullable() }),
});
export type Header = z.infer<typeof headerSchema>;

/** A line also has the other fields of the question's row, without images, so that it can be scored without the data. */
export const predictionSchema = z.looseObject({
  id: z.string(),
  prediction: z.string(),
  run: z.object({
    /** Number of the row in the data, from 0. */
    row: z.number(),
    /** `refused`: a server refused the question by its policy. The prediction is empty. */
    finishReason: z.enum(['stop', 'length', 'refused']),
    /** The server's words for a refusal. */
    refusal: z.string().optional(),
    completionTokens: z.number().nullable(),
    /** Number of images that were encoded again to fit a server's limits; absent for none. */
    reencodedImages: z.number().optional(),
    /** From the question to its complete answer, with the time in a queue. */
    durationMs: z.number(),
  }),
});
export type Prediction = z.infer<typeof predictionSchema>;

/** A question without an answer: a broken row, an unreadable image, a request that the server does not take. The next run asks it again. */
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
  /** Selects the scoring rules. */
  profile: z.enum(profiles),
  /** Percentage, or points of OCRBench; null without questions. */
  score: percentOrPoints,
  parts: z.array(z.object({ name: z.string(), score: percentOrPoints })),
  questions: z.number(),
  /** Answers that the reference would decide at random or by a judge. They count as wrong. */
  undecided: z.number(),
  /** Questions that a server refused by its policy. They get no point. */
  refused: z.number().default(0),
  /** The score without the refused questions; null if all were refused. Absent without refusals. */
  scoreOfAnswered: percentOrPoints.optional(),
  /** Images that were encoded again to fit a server's limits. */
  reencodedImages: z.number().default(0),
  /** Empty answers. */
  empty: z.number(),
  /** Rows without a score. They are not counted as questions. */
  broken: z.number(),
  /** The judge; null for exact matching. */
  judge: z.object({ name: z.string(), url: z.string() }).nullable(),
  /** Name of the system, given when its answers were scored. Results with the same name are one row of a report. */
  name: z.string().optional(),
  /** Settings of the run; null for predictions from another program. */
  settings: settingsSchema.nullable(),
  rows: z.array(
    z.object({
      id: z.string(),
      /** Number of the row in the data, from 0; null if unknown. */
      row: z.number().nullable(),
      question: z.string().nullable(),
      answers: z.array(z.string()),
      prediction: z.string().nullable(),
      /** 0 to 1; null if undecided or broken. */
      score: z.number().nullable(),
      /** What MMMU and MMBench parsed from the prediction. */
      parsed: z.unknown().optional(),
      /** The server's words for a refusal. */
      refusal: z.string().optional(),
      /** The reason for no score. */
      error: z.string().optional(),
    }),
  ),
});
export type Results = z.infer<typeof resultsSchema>;
