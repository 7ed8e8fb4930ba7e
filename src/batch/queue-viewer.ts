/** Has the workers behind a queue answer. A job is taken out of it when its answer is kept. */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import type { QueueClient } from '../queue/client.ts';
import { answerIn, inlinePicture, type Job } from '../queue/job.ts';
import { keyOf } from './output.ts';
import type { Looking, Picture, Viewer } from './viewer.ts';

export class QueueViewer implements Viewer {
  readonly #client: QueueClient;
  readonly #options: Job['options'];
  readonly #run: string;

  /** @param run the same for the same output file with the same settings, so that a later run finds its jobs again */
  constructor(client: QueueClient, options: Job['options'], run: string) {
    this.#client = client;
    this.#options = options;
    this.#run = run;
  }

  async look(picture: Picture): Promise<Looking> {
    const sent =
      picture instanceof Uint8Array
        ? inlinePicture(picture)
        : { ...picture, path: realpathSync(picture.path) };
    const answered: string[] = [];
    return {
      ask: async (item, signal) => {
        const id = createHash('sha256')
          .update(`${this.#run}\0${keyOf(item)}`)
          .digest('hex');
        const job = { picture: sent, question: item.question ?? '', options: this.#options };
        const reply = await this.#client.ask(id, job, signal);
        answered.push(id);
        return answerIn(reply);
      },
      [Symbol.asyncDispose]: async () => {
        for (const id of answered) await this.#client.forget(id);
      },
    };
  }
}
