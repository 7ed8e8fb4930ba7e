import { existsSync, realpathSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { AtomicFile } from '../files/writing.ts';
import { type DType, dtypes, isFloat, isTarget, type TargetType } from '../ggml/dtype.ts';
import { pieceElements, Quantizer } from '../ggml/quantize.ts';
import { gigabytes } from '../messages.ts';
import { padding, writeGgufHeader } from './gguf.ts';
import { readTensorBytes } from './read-tensor.ts';
import { type PlannedTensor, type PresetName, planTypes } from './type-preset.ts';
import { type Checkpoint, isPacked, textNames } from './types.ts';

export interface ConvertOptions {
  /** Default: every tensor keeps its stored type. */
  type?: PresetName | undefined;
  /** Bytes of the source: read, and total. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

export interface Conversion {
  tensors: number;
  sizeBytes: number;
  /** Bytes written in each type. */
  types: Partial<Record<DType, number>>;
  /** Tensors whose rows are not whole blocks of the preset's type. */
  misfits: { name: string; columns: number; wanted: TargetType; type: DType }[];
  /** Tensors that were in 4 bits of bitsandbytes, and how many of them changed their values. */
  unpacked: { tensors: number; changed: number };
  /** Tensors that merged adapters changed. */
  adapted: number;
  /** Without a tokenizer, the file can only be traced. */
  hasTokenizer: boolean;
}

/** Pieces that are processed at the same time: libuv's pool runs four, and one more is being read or written. */
const piecesAtOnce = 5;

/**
 * Streams a checkpoint into one GGUF file with config and tokenizer. The memory, a few pieces of `pieceElements` elements, does
 * not depend on the checkpoint. The file is written completely or not at all.
 * @throws CogVLM2Error `write_failed` (the free disk space is checked first); `invalid_value` if the checkpoint is already
 * quantized or of that type, or if `outPath` is one of its files; `invalid_checkpoint`, `aborted`.
 */
export async function convertToGguf(
  checkpoint: Checkpoint,
  outPath: string,
  { type, onProgress, signal }: ConvertOptions = {},
): Promise<Conversion> {
  checkTarget(checkpoint, outPath);
  const plan = planTypes(checkpoint.tensors.values(), type);
  if (type) checkSource(checkpoint, plan, type);
  const texts = textNames.flatMap((name): [string, string][] => {
    const text = checkpoint.texts[name];
    return text === undefined ? [] : [[name, text]];
  });
  const described = plan.map(({ entry, type, sizeBytes }) => ({ ...entry, type, sizeBytes }));
  checkSpace(
    outPath,
    described.reduce((sum, tensor) => sum + tensor.sizeBytes, 0),
  );
  using out = new AtomicFile(outPath);
  const sizeBytes = writeGgufHeader(out, checkpoint.name, texts, described);
  const total = plan.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
  let done = 0;
  const lanes = Array.from({ length: piecesAtOnce }, () => new Lane());
  const waiting: { piece: Piece; bytes: Promise<Uint8Array>; lane: Lane }[] = [];
  const writeFirst = async (): Promise<Lane | undefined> => {
    const first = waiting.shift();
    if (!first) return undefined;
    out.write(await first.bytes);
    if (first.piece.isLast) out.write(Buffer.alloc(padding(first.piece.planned.sizeBytes)));
    done += first.piece.sizeBytes;
    onProgress?.(done, total);
    return first.lane;
  };
  try {
    for (const piece of piecesOf(plan)) {
      if (signal?.aborted) throw new CogVLM2Error('aborted', `Stopped; ${outPath} was not written.`);
      const lane = lanes.pop() ?? (await writeFirst());
      if (!lane) throw new CogVLM2Error('engine_bug', 'No lane is left to convert a piece in.');
      const bytes = lane.convert(piece);
      // An error is thrown when it is this piece's turn to be written. Until then it must not be an unhandled rejection.
      bytes.catch(() => {});
      waiting.push({ piece, bytes, lane });
      await new Promise(setImmediate);
    }
    while (waiting.length > 0) await writeFirst();
  } finally {
    // Wait: native threads still write into the lanes' memory.
    await Promise.allSettled(waiting.map(({ bytes }) => bytes));
  }
  out.commit();
  const hasTokenizer = checkpoint.texts['tokenizer.json'] !== undefined;
  return { tensors: plan.length, sizeBytes, ...report(plan), hasTokenizer };
}

/** A run of one tensor's elements. */
interface Piece {
  planned: PlannedTensor;
  offsetBytes: number;
  sizeBytes: number;
  isLast: boolean;
}

function* piecesOf(plan: readonly PlannedTensor[]): Generator<Piece> {
  for (const planned of plan) {
    const { type, sizeBytes } = planned.entry;
    const length = pieceElements * dtypes[type].bytes;
    for (let at = 0; at < sizeBytes; at += length) {
      const size = Math.min(length, sizeBytes - at);
      yield { planned, offsetBytes: at, sizeBytes: size, isLast: at + size === sizeBytes };
    }
  }
}

/** Memory for one piece. */
class Lane {
  #source = new Uint8Array(0);
  #quantizer: Quantizer | undefined;

  async convert({ planned: { entry, type }, offsetBytes, sizeBytes }: Piece): Promise<Uint8Array> {
    if (this.#source.length < sizeBytes) this.#source = new Uint8Array(sizeBytes);
    const source = this.#source.subarray(0, sizeBytes);
    readTensorBytes(entry, offsetBytes, source);
    if (type === entry.type) return source;
    this.#quantizer ??= new Quantizer();
    if (!isFloat(entry.type) || !isTarget(type))
      throw new CogVLM2Error('engine_bug', `${entry.name}: ${entry.type} cannot become ${type}.`);
    try {
      return await this.#quantizer.convert(source, entry.type, type);
    } catch (cause) {
      if (!(cause instanceof CogVLM2Error) || cause.code !== 'invalid_checkpoint') throw cause;
      throw new CogVLM2Error(
        'invalid_checkpoint',
        `${entry.name} in ${entry.file}: ${cause.message}; such a tensor is not quantized.`,
        { cause },
      );
    }
  }
}

/** The new file replaces an existing one, which must not be its own source. */
function checkTarget(checkpoint: Checkpoint, outPath: string): void {
  if (!existsSync(outPath)) return;
  const target = realpathSync(outPath);
  for (const { file } of checkpoint.tensors.values()) {
    if (realpathSync(file) !== target) continue;
    throw new CogVLM2Error(
      'invalid_value',
      `${outPath} is one of the files of ${checkpoint.path}, which is being converted; choose another name.`,
    );
  }
}

function checkSource(checkpoint: Checkpoint, plan: readonly PlannedTensor[], type: PresetName): void {
  const quantized = plan.find(({ entry }) => dtypes[entry.type].block > 1);
  if (quantized) {
    throw new CogVLM2Error(
      'invalid_value',
      `${checkpoint.path} is quantized already (${quantized.entry.name} is ${quantized.entry.type}); convert to ${type} from the bf16 checkpoint.`,
    );
  }
  if (!isPacked(checkpoint) && plan.every((planned) => planned.type === planned.entry.type)) {
    throw new CogVLM2Error(
      'invalid_value',
      `${checkpoint.path} is of type ${type} already; without a type it is copied as it is.`,
    );
  }
}

function checkSpace(outPath: string, neededBytes: number): void {
  let free: number;
  try {
    const { bavail, bsize } = statfsSync(path.dirname(path.resolve(outPath)));
    free = bavail * bsize;
  } catch {
    // The folder does not exist: opening the file reports it.
    return;
  }
  if (neededBytes <= free) return;
  throw new CogVLM2Error(
    'write_failed',
    `${outPath} takes ${gigabytes(neededBytes)}, but ${gigabytes(free)} are free on that disk. Free some, or choose a smaller type.`,
  );
}

function report(
  plan: readonly PlannedTensor[],
): Pick<Conversion, 'types' | 'misfits' | 'unpacked' | 'adapted'> {
  const types: Partial<Record<DType, number>> = {};
  for (const { type, sizeBytes } of plan) types[type] = (types[type] ?? 0) + sizeBytes;
  const misfits = plan.flatMap(({ entry, type, insteadOf }) =>
    insteadOf ? [{ name: entry.name, columns: entry.shape.at(-1) ?? 0, wanted: insteadOf, type }] : [],
  );
  const packed = plan.filter(({ entry }) => entry.packed);
  const changed = packed.filter(({ entry, type }) => type !== entry.type);
  const adapted = plan.filter(({ entry }) => entry.computed).length;
  return { types, misfits, unpacked: { tensors: packed.length, changed: changed.length }, adapted };
}
