/** A question, and the reply of a worker without a model. */
import type { Job, Reply } from '../../src/queue/job.ts';

export const job: Job = { image: null, question: 'Why?', options: {} };
export const reply: Reply = {
  answer: 'So.',
  finishReason: 'stop',
  seed: 1,
  usage: { promptTokens: 1, imageTokens: 0, cachedTokens: 0, completionTokens: 1 },
  timings: { queueMs: 0, imageMs: 0, visionMs: 0, prefillMs: 0, firstTokenMs: 0, decodeMs: 0, totalMs: 0 },
  model: 'scripted',
};
/** The signal of work that nobody stops. */
export const never = new AbortController().signal;
