/**
 * Bodies that are arriving. Each must have a minimum rate, so that slow clients do not use places in the queue. When the queue is full,
 * the slowest upload is ended for the next request.
 */
import { ApiError } from '../api-error.ts';
import { UPLOAD_LIMITS } from '../limits.ts';

export interface UploadRules {
  /** An upload is not ended before this time, unless its place is needed. */
  graceMs: number;
  minBytesPerSecond: number;
}

/** An upload has this share of the grace time also if its place is needed. */
const NEEDED_SHARE = 0.1;
const CHECK_MS = 1_000;

interface Upload {
  startedAt: number;
  sizeBytes: number;
  end: (reason: ApiError) => void;
}

export class Uploads {
  readonly #rules: UploadRules;
  readonly #uploads = new Set<Upload>();

  constructor(rules: UploadRules = UPLOAD_LIMITS) {
    this.#rules = rules;
  }

  /**
   * Watches one upload.
   * @param read reads the body until its signal aborts, and reports the number of bytes so far
   * @param onSlow called when the upload is ended, before `read` rejects
   * @throws ApiError upload_too_slow, and the errors of `read`
   */
  async watch<T>(
    signal: AbortSignal,
    onSlow: () => void,
    read: (signal: AbortSignal, onBytes: (size: number) => void) => Promise<T>,
  ): Promise<T> {
    const slow = new AbortController();
    const upload: Upload = {
      startedAt: performance.now(),
      sizeBytes: 0,
      end: (reason) => {
        this.#uploads.delete(upload);
        slow.abort(reason);
        onSlow();
      },
    };
    this.#uploads.add(upload);
    const timer = setInterval(() => {
      if (this.#isSlow(upload, this.#rules.graceMs)) upload.end(this.#tooSlow(upload));
    }, CHECK_MS);
    try {
      return await read(AbortSignal.any([signal, slow.signal]), (size) => {
        upload.sizeBytes = size;
      });
    } finally {
      clearInterval(timer);
      this.#uploads.delete(upload);
    }
  }

  /** Ends the slowest upload if it is below the minimum rate. @returns whether one was ended */
  makeRoom(): boolean {
    const graceMs = this.#rules.graceMs * NEEDED_SHARE;
    const slow = [...this.#uploads].filter((upload) => this.#isSlow(upload, graceMs));
    const slowest = slow.sort((a, b) => rateOf(a) - rateOf(b))[0];
    if (slowest === undefined) return false;
    slowest.end(this.#tooSlow(slowest));
    return true;
  }

  #isSlow(upload: Upload, graceMs: number): boolean {
    return performance.now() - upload.startedAt >= graceMs && rateOf(upload) < this.#rules.minBytesPerSecond;
  }

  #tooSlow({ sizeBytes }: Upload): ApiError {
    return new ApiError(
      'upload_too_slow',
      `The body arrives too slowly: ${sizeBytes} bytes so far; the minimum is ${this.#rules.minBytesPerSecond} bytes a second.`,
      { headers: { connection: 'close' } },
    );
  }
}

/** Bytes a second. */
function rateOf({ startedAt, sizeBytes }: Upload): number {
  return (sizeBytes * 1_000) / Math.max(1, performance.now() - startedAt);
}
