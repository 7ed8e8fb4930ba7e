/**
 * The last few pictures that were encoded, because benchmarks ask several questions about one: DocVQA about a page,
 * MMBench the rotations of a question. A picture that is in use is never let go.
 */
import { createHash } from 'node:crypto';
import type { CogVLM2 } from '../generate/cogvlm2.ts';
import type { Progress } from '../generate/types.ts';

type EncodedImage = Awaited<ReturnType<CogVLM2['encodeImage']>>;

interface Kept {
  readonly image: Promise<EncodedImage>;
  users: number;
}

export class EncodedPictures {
  readonly #model: Pick<CogVLM2, 'encodeImage'>;
  readonly #most: number;
  /** By the hash of their bytes, the longest unused first. */
  readonly #kept = new Map<string, Kept>();

  constructor(model: Pick<CogVLM2, 'encodeImage'>, most: number) {
    this.#model = model;
    this.#most = most;
  }

  async use<T>(
    bytes: Uint8Array,
    options: { signal: AbortSignal; onProgress?: (progress: Progress) => void },
    work: (image: EncodedImage) => Promise<T>,
  ): Promise<T> {
    const key = createHash('sha256').update(bytes).digest('base64');
    const kept = this.#kept.get(key) ?? { image: this.#model.encodeImage(bytes, options), users: 0 };
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    kept.users += 1;
    try {
      return await work(await kept.image);
    } catch (error) {
      // One that cannot be decoded must not stand in the way of others.
      await kept.image.catch(() => this.#kept.delete(key));
      throw error;
    } finally {
      kept.users -= 1;
      await this.#letGo(this.#most);
    }
  }

  async #letGo(most: number): Promise<void> {
    for (const [key, { image, users }] of [...this.#kept]) {
      if (this.#kept.size <= most) return;
      if (users > 0) continue;
      this.#kept.delete(key);
      (await image).dispose();
    }
  }
}
