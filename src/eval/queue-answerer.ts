/** Asks the workers behind a queue, who answer with a model of ours. */
import { createHash } from 'node:crypto';
import type { QueueClient } from '../queue/client.ts';
import { answerIn } from '../queue/job.ts';
import { inlineImage } from '../queue/job-image.ts';
import { type Answerer, answerOf, seedOf } from './asker.ts';

export interface QueueOfWorkers {
  readonly client: QueueClient;
  readonly model: string;
  /** Without a password. */
  readonly shownAddress: string;
}

export function queueAnswerer({ client, model, shownAddress }: QueueOfWorkers): Answerer {
  return {
    model: { kind: 'endpoint', name: model, url: shownAddress },
    device: null,
    templateOf: (wished) => wished,
    asker:
      (settings) =>
      async ({ id, prompt, pictures }, signal) => {
        const { template, temperature, maxTokens, topK, topP, seed } = settings;
        const job = {
          picture: pictures[0] === undefined ? null : inlineImage(pictures[0]),
          question: prompt,
          options: {
            temperature,
            ...(template !== null && { template }),
            ...(maxTokens !== null && { maxTokens }),
            ...(topK !== null && { topK }),
            ...(topP !== null && { topP }),
            ...(seed !== null && { seed: seedOf(seed, id) }),
          },
        };
        const jobId = createHash('sha256')
          .update(JSON.stringify([settings, id, job]))
          .digest('hex');
        const reply = await client.ask(jobId, job, signal);
        await client.forget(jobId);
        const { answer, finishReason, usage } = answerIn(reply);
        return { text: answerOf(answer), finishReason, completionTokens: usage.completionTokens };
      },
  };
}
