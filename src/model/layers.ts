import type { Weights } from '../checkpoint/weights.ts';
import type { Ops } from '../ggml/ops.ts';
import type { Tensor } from '../ggml/tensor.ts';

/** The layers that all parts of the model share. Shapes are in ggml's order: [width, rows]. */

/** x [inputs, n] -> weight x + bias [outputs, n], with the change of an adapter (lora.ts) where the graph has one. */
export class Linear {
  readonly #weight: Tensor;
  readonly #bias: Tensor | undefined;

  constructor(weights: Weights, name: string, inputs: number, outputs: number, options = { bias: false }) {
    this.#weight = weights.matrix(`${name}.weight`, outputs, inputs);
    this.#bias = options.bias ? weights.vector(`${name}.bias`, outputs) : undefined;
  }

  get weight(): Tensor {
    return this.#weight;
  }

  forward(ops: Ops, x: Tensor): Tensor {
    const y = ops.linear(this.#weight, x);
    return this.#bias ? ops.add(y, this.#bias) : y;
  }
}

/** (x - mean) / sqrt(variance + eps) * weight + bias over each row. */
export class LayerNorm {
  readonly #weight: Tensor;
  readonly #bias: Tensor;
  readonly #eps: number;

  constructor(weights: Weights, name: string, width: number, eps: number) {
    this.#weight = weights.vector(`${name}.weight`, width);
    this.#bias = weights.vector(`${name}.bias`, width);
    this.#eps = eps;
  }

  forward(ops: Ops, x: Tensor): Tensor {
    return ops.add(ops.mul(ops.norm(x, this.#eps), this.#weight), this.#bias);
  }
}

/** x / sqrt(mean(x^2) + eps) * weight over each row. */
export class RmsNorm {
  readonly #weight: Tensor;
  readonly #eps: number;

  constructor(weights: Weights, name: string, width: number, eps: number) {
    this.#weight = weights.vector(`${name}.weight`, width);
    this.#eps = eps;
  }

  forward(ops: Ops, x: Tensor): Tensor {
    return ops.mul(ops.rmsNorm(x, this.#eps), this.#weight);
  }
}
