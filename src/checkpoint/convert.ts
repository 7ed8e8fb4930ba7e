import { closeSync, openSync, readSync } from 'node:fs';
import { AtomicFile } from '../atomic-file.ts';
import { CogVLM2Error } from '../errors.ts';
import { type Checkpoint, type TensorEntry, textNames } from './checkpoint.ts';
import { padding, writeGgufHeader } from './gguf-writer.ts';

export interface ConvertOptions {
  onProgress?: (doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

const blockBytes = 8 * 2 ** 20;

/**
 * Streams a checkpoint into one GGUF file, config and tokenizer inside, tensors as they are stored. The file
 * appears whole or not at all.
 * @throws CogVLM2Error `write_failed`, `invalid_checkpoint`, `aborted`.
 */
export async function convertToGguf(
  checkpoint: Checkpoint,
  outPath: string,
  { onProgress, signal }: ConvertOptions = {},
): Promise<{ tensors: number; sizeBytes: number }> {
  const entries = [...checkpoint.tensors.values()];
  const texts = textNames.flatMap((name): [string, string][] => {
    const text = checkpoint.texts[name];
    return text === undefined ? [] : [[name, text]];
  });
  using out = new AtomicFile(outPath);
  const sizeBytes = writeGgufHeader(out, checkpoint.name, texts, entries);
  const total = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  let done = 0;
  for (const entry of entries) {
    for (const block of readBlocks(entry)) {
      if (signal?.aborted) throw new CogVLM2Error('aborted', `Stopped; ${outPath} was not written.`);
      out.write(block);
      done += block.length;
      onProgress?.(done, total);
      await new Promise(setImmediate);
    }
    out.write(Buffer.alloc(padding(entry.sizeBytes)));
  }
  out.commit();
  return { tensors: entries.length, sizeBytes };
}

function* readBlocks({ name, file, offsetBytes, sizeBytes }: TensorEntry): Generator<Uint8Array> {
  const descriptor = openSync(file, 'r');
  const block = Buffer.alloc(Math.min(blockBytes, sizeBytes));
  try {
    for (let at = 0; at < sizeBytes; ) {
      const count = readSync(descriptor, block, 0, Math.min(block.length, sizeBytes - at), offsetBytes + at);
      if (count === 0)
        throw new CogVLM2Error('invalid_checkpoint', `${name} ends before it should in ${file}.`);
      at += count;
      yield block.subarray(0, count);
    }
  } finally {
    closeSync(descriptor);
  }
}
