/** A worker's answers: each job is asked as a batch in this process would ask it. */
import { CogVLM2Error } from '../errors.ts';
import type { CogVLM2 } from '../generate/cogvlm2.ts';
import type { GenerateOptions } from '../generate/types.ts';
import type { Job, Reply } from '../queue/job.ts';
import { pictureOf } from '../queue/picture.ts';
import { type WorkerOptions, workOnQueue } from '../queue/worker.ts';
import { ModelViewer } from './model-viewer.ts';

export interface WorkOptions extends Omit<WorkerOptions, 'model' | 'answer'> {
  /** The folder that pictures may be read from. */
  readonly shared: string | undefined;
}

export function work(model: CogVLM2, { shared, ...options }: WorkOptions): Promise<void> {
  const answer = async (job: Job, signal: AbortSignal): Promise<Reply> => {
    if (job.picture === null) throw new CogVLM2Error('invalid_value', 'The job has no picture.');
    // What is undefined is left out, so that the library's own default holds.
    const given: GenerateOptions = Object.fromEntries(
      Object.entries(job.options).filter(([, value]) => value !== undefined),
    );
    const viewer = new ModelViewer(model, given);
    await using looking = await viewer.look(pictureOf(job.picture, shared), 1, signal);
    const item = { id: '', input: '', page: null, pageCount: null, question: job.question };
    return looking.ask(item, signal);
  };
  return workOnQueue({ ...options, model: model.info.name, answer });
}
