/**
 * LoRA adapters without a merge. The weights are not changed: they stay quantized, packed or mapped. `Linear` adds scale * B (A x)
 * to its product. Several adapters of one weight become one term, with their A and B matrices concatenated.
 */
import {
  checkAdapter,
  finiteNumbers,
  type PeftAdapter,
  type ScaledAdapter,
} from '../checkpoint/peft/adapter.ts';
import { readNumbers } from '../checkpoint/read-tensor.ts';
import type { Checkpoint, TensorEntry } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';
import type { Engine, Processor } from '../ggml/engine.ts';
import { ggml } from '../ggml/library.ts';
import type { LowRankTerm, LowRankTerms } from '../ggml/ops.ts';
import { Context, type Tensor } from '../ggml/tensor.ts';

/** Adapters by name; '' is the default. The changes of several adapters of one name are added. */
export type Adapters = ReadonlyMap<string, readonly ScaledAdapter[]>;

/**
 * Checks that the adapters fit the checkpoint, and that they can run without a merge.
 * @throws CogVLM2Error `invalid_checkpoint` naming the tensor; `invalid_value` for adapters that must be merged
 */
export function checkAdapters(checkpoint: Checkpoint, adapters: Adapters): void {
  for (const adapter of distinct(adapters)) {
    checkAdapter(adapter, checkpoint);
    const merged = mergedOnly(adapter, checkpoint);
    if (merged === undefined) continue;
    throw new CogVLM2Error(
      'invalid_value',
      `The adapter ${adapter.path} ${merged}, which works only after a merge. Merge it: cogvlm2 convert MODEL merged.gguf --adapter ${adapter.path}`,
    );
  }
}

/** Why an adapter must be merged; undefined if it can run without a merge. */
function mergedOnly({ modules, replaced }: PeftAdapter, { tensors }: Checkpoint): string | undefined {
  for (const [modulePath, { kind, magnitude }] of modules) {
    if (magnitude) return `uses DoRA for ${modulePath}`;
    if (kind === 'convolution') return `changes the convolution ${modulePath}`;
    if (kind === 'embedding') return `changes the embeddings ${modulePath}`;
  }
  const whole = [...replaced.keys()].find((name) => !isLinearBias(name, tensors));
  return whole === undefined ? undefined : `replaces ${whole} (modules_to_save)`;
}

function isLinearBias(name: string, tensors: Checkpoint['tensors']): boolean {
  return name.endsWith('.bias') && tensors.get(name.replace(/bias$/, 'weight'))?.shape.length === 2;
}

/** The adapters' tensors on the device: f32, by part of the model. */
export function adapterTensors(adapters: Adapters): TensorEntry[] {
  return [...adapters.values()].flat().flatMap(({ adapter: { modules } }) =>
    [...modules.values()].flatMap(({ a, b }) =>
      [a, b].map((entry) => ({
        ...entry,
        name: entry.name.replace(/^base_model\.model\./, ''),
        type: 'f32' as const,
        sizeBytes: entry.shape.reduce((product, axis) => product * axis, 4),
      })),
    ),
  );
}

/**
 * Copies the adapters to the devices of the weights that they change.
 * @param matrices the model's weights by their published names
 */
export function loadLowRankTerms(
  engine: Engine,
  checkpoint: Checkpoint,
  matrices: ReadonlyMap<string, Tensor>,
  processorOf: (name: string) => Processor,
  adapters: Adapters,
): ReadonlyMap<string, LowRankTerms> {
  return new Map(
    Array.from(adapters, ([name, list]) => {
      const terms = new Map<Tensor, LowRankTerm>();
      for (const [weightName, numbers] of sumOfTerms(list, checkpoint)) {
        const weight = matrices.get(weightName);
        if (!weight) throw new CogVLM2Error('engine_bug', `${weightName} is no matrix of the model.`);
        terms.set(weight, upload(engine, processorOf(weightName), numbers, weight));
      }
      return [name, terms] as const;
    }),
  );
}

interface TermNumbers {
  rank: number;
  /** [rank, in] */
  a: Float32Array;
  /** [out, rank], scaled */
  b: Float32Array;
  /** [out] */
  bias: Float32Array | null;
}

/** The sum of all adapters' changes of each weight, by its name. */
function sumOfTerms(adapters: readonly ScaledAdapter[], { tensors }: Checkpoint): Map<string, TermNumbers> {
  const sums = new Map<string, TermNumbers>();
  const add = (weightName: string, term: TermNumbers) => {
    const other = sums.get(weightName);
    sums.set(weightName, other ? joined(other, term) : term);
  };
  for (const { adapter, scale: factor } of adapters) {
    for (const [modulePath, { rank, a, b, bias, scale }] of adapter.modules) {
      const times = (entry: TensorEntry) => finiteNumbers(entry).map((value) => value * scale * factor);
      add(`${modulePath}.weight`, { rank, a: finiteNumbers(a), b: times(b), bias: bias && times(bias) });
    }
    for (const [name, stored] of adapter.replaced) {
      const own = readNumbers(tensors.get(name)!);
      const bias = finiteNumbers(stored).map((value, i) => value - (own[i] ?? 0));
      const none = new Float32Array(0);
      add(name.replace(/bias$/, 'weight'), { rank: 0, a: none, b: none, bias });
    }
  }
  return sums;
}

function joined(x: TermNumbers, y: TermNumbers): TermNumbers {
  const rank = x.rank + y.rank;
  const a = new Float32Array(x.a.length + y.a.length);
  a.set(x.a);
  a.set(y.a, x.a.length);
  const b = new Float32Array(x.b.length + y.b.length);
  for (let row = 0; row * rank < b.length; row++) {
    b.set(x.b.subarray(row * x.rank, (row + 1) * x.rank), row * rank);
    b.set(y.b.subarray(row * y.rank, (row + 1) * y.rank), row * rank + x.rank);
  }
  const bias = x.bias && y.bias ? x.bias.map((value, i) => value + (y.bias?.[i] ?? 0)) : (x.bias ?? y.bias);
  return { rank, a, b, bias };
}

function upload(engine: Engine, processor: Processor, numbers: TermNumbers, weight: Tensor): LowRankTerm {
  const { rank, a, b, bias } = numbers;
  const [inputs, outputs] = weight.shape;
  const context = Context.forTensors(3);
  const fills: [Tensor, Float32Array][] = [];
  const tensor = (values: Float32Array, sizes: readonly number[]) => {
    const made = context.tensor('f32', sizes);
    fills.push([made, values]);
    return made;
  };
  const product = rank > 0 ? { a: tensor(a, [inputs, rank]), b: tensor(b, [rank, outputs]) } : null;
  const term = { product, bias: bias && tensor(bias, [outputs]) };
  engine.allocate(context, engine.bufferType(processor));
  for (const [to, values] of fills)
    ggml().run('ggml_backend_tensor_set', to.pointer, values, 0, values.byteLength);
  return term;
}

function distinct(adapters: Adapters): Set<PeftAdapter> {
  return new Set([...adapters.values()].flat().map(({ adapter }) => adapter));
}
