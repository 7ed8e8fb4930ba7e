/**
 * The regions of the image from which an answer was read: the attention of its tokens to the image's cells. The KV cache has the
 * keys of the cells, so a token costs one row of scores in each selected head. An image token represents one cell, of 28 x 28
 * pixels of the resized image in the published models.
 */
import type { KeyRange, QueryTap } from '../model/taps.ts';
import { Detokenizer } from '../text/detokenizer.ts';
import type { Span } from '../text/prompt.ts';
import type { Tokenizer } from '../text/tokenizer.ts';

/** A cell of the image, as shares (0 to 1) of the width and height of the original image. */
export interface EvidenceCell {
  x: number;
  y: number;
  width: number;
  height: number;
  /** Share of the attention to the image, 0 to 1. */
  score: number;
}

export interface TokenEvidence {
  /** Characters [start, end) of the answer's text. */
  start: number;
  end: number;
  /** The cells with the highest scores, highest first. */
  cells: EvidenceCell[];
}

export interface Evidence {
  /** Columns and rows of cells. */
  columns: number;
  rows: number;
  /** For the whole answer, highest score first. */
  cells: EvidenceCell[];
  tokens: TokenEvidence[];
}

/** The properties of its sequence that evidence needs. */
export interface EvidenceSequence {
  readKeys(range: KeyRange): Promise<Float32Array>;
}

const MOST_TOKEN_CELLS = 3;
const MOST_CELLS = 8;
/** Cells with less than this share of the highest score are noise. */
const LEAST_SHARE = 0.35;

export interface HeadCounts {
  headSize: number;
  /** Of the queries. */
  heads: number;
  kvHeads: number;
}

/** Collects the attention while an answer is generated. */
export class EvidenceCollector {
  readonly #heads: readonly EvidenceHead[];
  readonly #counts: HeadCounts;
  readonly #layers: readonly number[];
  /** For each head: f32 [cells, headSize]. */
  #keys: Float32Array[] = [];
  #cells = 0;
  #side = 0;
  /** The queries of the prompt's last row, until the keys are available. */
  readonly #first: (readonly [layer: number, queries: Float32Array])[] = [];
  /** The attention to the cells, for each token of the answer. */
  readonly #tokens: Float32Array[] = [];

  constructor(heads: readonly EvidenceHead[], counts: HeadCounts) {
    this.#heads = heads;
    this.#counts = counts;
    this.#layers = [...new Set(heads.map(({ layer }) => layer))];
  }

  /** For the prompt, whose last row predicts the first token. */
  get promptTap(): QueryTap {
    return { layers: this.#layers, onQueries: (layer, queries) => this.#first.push([layer, queries]) };
  }

  /** For the row that predicts a token of the answer. */
  tap(token: number): QueryTap {
    return { layers: this.#layers, onQueries: (layer, queries) => this.#take(token, layer, queries) };
  }

  /**
   * Reads the keys of the image's cells: all image tokens except the first and the last, which are its markers. Call it when
   * the prompt is in the cache.
   */
  async begin(sequence: EvidenceSequence, image: Span): Promise<void> {
    const { heads, kvHeads } = this.#counts;
    const range = { start: image.start + 1, end: image.end - 1 };
    const read = new Map<string, Float32Array>();
    for (const { layer, head } of this.#heads) {
      const kvHead = Math.floor(head / (heads / kvHeads));
      const name = `${layer} ${kvHead}`;
      const keys = read.get(name) ?? (await sequence.readKeys({ layer, head: kvHead, ...range }));
      read.set(name, keys);
      this.#keys.push(keys);
    }
    this.#cells = range.end - range.start;
    this.#side = Math.round(Math.sqrt(this.#cells));
    for (const [layer, queries] of this.#first.splice(0)) this.#take(0, layer, queries);
  }

  #take(token: number, layer: number, queries: Float32Array): void {
    for (const [i, each] of this.#heads.entries()) {
      // The input of the row that predicts a token is the token before.
      const about = each.reads === 'next' ? token : token - 1;
      if (each.layer !== layer || about < 0) continue;
      const size = this.#counts.headSize;
      const query = queries.subarray(each.head * size, (each.head + 1) * size);
      const sum = this.#tokens[about] ?? new Float32Array(this.#cells);
      this.#tokens[about] = sum;
      for (const [cell, share] of attention(query, this.#keys[i] ?? new Float32Array(0)).entries())
        sum[cell] = (sum[cell] ?? 0) + share;
    }
  }

  /** @param text the answer: the text of its tokens without outer white space and stop string */
  evidence(tokenizer: Tokenizer, tokenIds: readonly number[], text: string): Evidence {
    const spans = spansOf(tokenizer, tokenIds, text);
    const whole = new Float32Array(this.#cells);
    const tokens: TokenEvidence[] = [];
    for (const [i, span] of spans.entries()) {
      const attended = this.#tokens[i];
      if (!span || !attended) continue;
      const shares = normalized(attended);
      for (const [cell, share] of shares.entries()) whole[cell] = (whole[cell] ?? 0) + share;
      tokens.push({ ...span, cells: this.#highest(shares, MOST_TOKEN_CELLS) });
    }
    const cells = this.#highest(normalized(whole), MOST_CELLS);
    return { columns: this.#side, rows: this.#side, cells, tokens };
  }

  #highest(shares: Float32Array, most: number): EvidenceCell[] {
    const side = this.#side;
    const order = [...shares.keys()].sort((a, b) => (shares[b] ?? 0) - (shares[a] ?? 0));
    const top = shares[order[0] ?? 0] ?? 0;
    return order
      .slice(0, most)
      .filter((cell) => (shares[cell] ?? 0) >= top * LEAST_SHARE && top > 0)
      .map((cell) => ({
        x: (cell % side) / side,
        y: Math.floor(cell / side) / side,
        width: 1 / side,
        height: 1 / side,
        score: Math.round((shares[cell] ?? 0) * 10_000) / 10_000,
      }));
  }
}

/** softmax(q k^T / sqrt(headSize)) over the cells alone. */
function attention(query: Float32Array, keys: Float32Array): Float32Array {
  const size = query.length;
  const scores = new Float32Array(keys.length / size);
  let top = Number.NEGATIVE_INFINITY;
  for (let cell = 0; cell < scores.length; cell++) {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += (query[i] ?? 0) * (keys[cell * size + i] ?? 0);
    scores[cell] = sum / Math.sqrt(size);
    top = Math.max(top, scores[cell] ?? 0);
  }
  return normalized(scores.map((score) => Math.exp(score - top)));
}

function normalized(values: Float32Array): Float32Array {
  const sum = values.reduce((total, value) => total + value, 0);
  return sum > 0 ? values.map((value) => value / sum) : values;
}

/** The range of each token in the text; null for white space, special tokens, and tokens that are not in it. */
function spansOf(
  tokenizer: Tokenizer,
  tokenIds: readonly number[],
  text: string,
): ({ start: number; end: number } | null)[] {
  const detokenizer = new Detokenizer(tokenizer);
  let raw = '';
  const pieces = tokenIds.map((id) => {
    const start = raw.length;
    raw += detokenizer.push(id);
    return { start, end: raw.length };
  });
  raw += detokenizer.flush();
  // The length that was trimmed at the beginning.
  const shift = Math.max(0, raw.indexOf(text));
  return pieces.map(({ start, end }, i) => {
    // A character in several tokens belongs to the last of them.
    const last = pieces.slice(i).find((piece) => piece.end > start);
    const span = {
      start: Math.max(0, start - shift),
      end: Math.min(text.length, (last?.end ?? end) - shift),
    };
    return span.end > span.start && text.slice(span.start, span.end).trim() !== '' ? span : null;
  });
}

/** The attention heads that show where a model reads. */

export interface EvidenceHead {
  layer: number;
  /** Of the queries. */
  head: number;
  /** `next`: a row attends to where the next token is read. `last`: to where its own token was read. */
  reads: 'next' | 'last';
}

/**
 * The demo model was trained to point with these heads (training/loss.py). For the published models no such heads are known, and
 * their weights were not tried: all heads of the third quarter of the layers are used, where such models usually form answers.
 */
export function evidenceHeads(config: { layers: number; heads: number }, isDemo: boolean): EvidenceHead[] {
  if (isDemo) return demoHeads;
  const [first, end] = [Math.floor(config.layers / 2), Math.ceil((config.layers * 3) / 4)];
  return Array.from({ length: end - first }, (_, i) =>
    Array.from({ length: config.heads }, (_, head) => ({ layer: first + i, head, reads: 'next' as const })),
  ).flat();
}

const demoHeads: EvidenceHead[] = [
  { layer: 1, head: 0, reads: 'last' },
  { layer: 2, head: 0, reads: 'next' },
  { layer: 3, head: 0, reads: 'next' },
];
