/**
 * How far a run over many images is. An image under way counts by its stages, so that the remaining time is known
 * while the first image is still in the vision tower, which takes minutes for a large model on a CPU.
 */

/** A stage of one image: layers of the vision tower, or tokens of the prompt. */
export interface Stage {
  readonly stage: 'vision' | 'prefill';
  readonly done: number;
  readonly total: number;
}

export interface RunState {
  /** Questions with an answer or an error, and the part of the others that is done: not a whole number. */
  readonly done: number;
  readonly total: number;
  /** The image whose stage changed last. */
  readonly image?: Stage & { readonly name: string };
}

export interface StageTimes {
  readonly imageMs: number;
  readonly visionMs: number;
  readonly prefillMs: number;
  readonly totalMs: number;
}

export class RunProgress {
  readonly #onChange: (state: RunState) => void;
  readonly #underWay = new Set<ImageProgress>();
  #total = 0;
  #done = 0;
  /** Of the time of one image and one question. Until there is an answer: the 19 B model on a CPU (docs/performance.md). */
  #visionShare = 0.8;
  #prefillShare = 0.18;

  constructor(onChange: (state: RunState) => void) {
    this.#onChange = onChange;
  }

  /** Adds to the questions of the run, and to those that are done; either may be negative. */
  add(total: number, done: number): void {
    this.#total += total;
    this.#done += done;
    this.#tell();
  }

  /** @param questions how many questions about this image are waiting */
  begin(name: string, questions: number): ImageProgress {
    const image = new ImageProgress(name, questions, {
      changed: (stage) => this.#tell(stage),
      measured: (times) => this.#measure(times),
      ended: () => {
        this.#underWay.delete(image);
        this.#done += image.finished;
        this.#tell();
      },
    });
    this.#underWay.add(image);
    return image;
  }

  #measure({ imageMs, visionMs, prefillMs, totalMs }: StageTimes): void {
    // An answer about an image that was encoded before says nothing about the tower's part.
    if (visionMs <= 0 || totalMs <= 0) return;
    const sumMs = Math.max(totalMs, imageMs + visionMs + prefillMs);
    this.#visionShare = (imageMs + visionMs) / sumMs;
    this.#prefillShare = prefillMs / sumMs;
  }

  #tell(image?: Stage & { readonly name: string }): void {
    let done = this.#done;
    for (const one of this.#underWay) done += one.share(this.#visionShare, this.#prefillShare);
    this.#onChange({ done: Math.min(done, this.#total), total: this.#total, ...(image && { image }) });
  }
}

interface Listener {
  changed(stage?: Stage & { readonly name: string }): void;
  measured(times: StageTimes): void;
  ended(): void;
}

/** One image of a run, from its first stage to its last answer. */
export class ImageProgress implements Disposable {
  readonly #name: string;
  readonly #questions: number;
  readonly #listener: Listener;
  /** Questions with an answer or an error. */
  finished = 0;
  #vision = 0;
  #prefill = 0;

  constructor(name: string, questions: number, listener: Listener) {
    this.#name = name;
    this.#questions = questions;
    this.#listener = listener;
  }

  stage({ stage, done, total }: Stage): void {
    if (stage === 'vision') this.#vision = done / total;
    else [this.#vision, this.#prefill] = [1, done / total];
    this.#listener.changed({ name: this.#name, stage, done, total });
  }

  /** A question has its answer or its error. */
  finish(times?: StageTimes): void {
    this.finished++;
    [this.#vision, this.#prefill] = [1, 0];
    if (times !== undefined) this.#listener.measured(times);
    this.#listener.changed();
  }

  /** Of the image's questions, how many are done as far as time goes. */
  share(visionShare: number, prefillShare: number): number {
    const questions = this.finished + (prefillShare / (1 - visionShare || 1)) * this.#prefill;
    return (
      visionShare * this.#vision * this.#questions + (1 - visionShare) * Math.min(questions, this.#questions)
    );
  }

  [Symbol.dispose](): void {
    this.#listener.ended();
  }
}
