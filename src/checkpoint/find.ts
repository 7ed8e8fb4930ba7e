import { existsSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CogVLM2Error } from '../errors.ts';
import { cachedModels, PUBLISHED_MODELS, remedyFor } from '../hub/cache.ts';
import { lackingFiles } from '../hub/needed-files.ts';
import { nearest } from '../messages.ts';
import { openCheckpoint } from './checkpoint.ts';
import { type Checkpoint, onDisk } from './types.ts';

export interface FoundModel {
  name: string;
  path: string;
  format: 'safetensors' | 'gguf';
  sizeBytes: number;
  /** Stored types, the one with most bytes first: "bf16", "q4_k, q8_0". */
  types: string;
}

/** The model inside this package. The path is the same from src/ and from dist/. */
export function demoModelPath(): string {
  return fileURLToPath(new URL('../../models/demo', import.meta.url));
}

/** The models that can be named: the demo, those in `COGVLM2_MODELS` and ./models (folders or .gguf), and pulled ones. */
export async function listModels(): Promise<FoundModel[]> {
  const found: FoundModel[] = [];
  for (const [name, location] of await candidates()) {
    try {
      const checkpoint = openCheckpoint(location);
      found.push({ name, path: location, format: checkpoint.format, ...measure(checkpoint) });
    } catch {
      // Not a model.
    }
  }
  return found;
}

/**
 * A path that exists, or the name of a listed model; without a name, the demo model.
 * @throws CogVLM2Error `model_not_found` with the nearest name; `invalid_checkpoint` for an incomplete one.
 */
export async function findModel(nameOrPath?: string): Promise<{ name: string; path: string }> {
  if (nameOrPath === undefined) {
    if (existsSync(demoModelPath())) return { name: 'demo', path: demoModelPath() };
    throw new CogVLM2Error(
      'model_not_found',
      'This installation has no demonstration model; name another model.',
    );
  }
  if (existsSync(nameOrPath))
    return { name: path.basename(path.resolve(nameOrPath), '.gguf'), path: nameOrPath };
  const known = await candidates();
  const location = known.get(nameOrPath);
  const isPublished = PUBLISHED_MODELS.includes(nameOrPath);
  if (location) {
    const lacking =
      isPublished && statSync(location).isDirectory() ? lackingFiles(location, process.env) : [];
    if (lacking.length === 0) return { name: nameOrPath, path: location };
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `${nameOrPath} is incomplete: ${location} lacks ${lacking.join(', ')}. ${remedyFor(nameOrPath, process.env)}`,
    );
  }
  if (isPublished) {
    throw new CogVLM2Error(
      'model_not_found',
      `${nameOrPath} is not on this machine. ${remedyFor(nameOrPath, process.env)}`,
    );
  }
  const alike = nearest(nameOrPath, known.keys());
  const hint = alike === undefined ? '' : ` Did you mean "${alike}"?`;
  throw new CogVLM2Error(
    'model_not_found',
    `There is no model or path "${nameOrPath}".${hint} "cogvlm2 models" lists them.`,
  );
}

async function candidates(): Promise<Map<string, string>> {
  const places = new Map<string, string>();
  if (existsSync(demoModelPath())) places.set('demo', demoModelPath());
  for (const folder of [process.env.COGVLM2_MODELS, path.resolve('models')]) {
    if (!folder || !existsSync(folder) || !(await stat(folder)).isDirectory()) continue;
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const name = path.basename(entry.name, '.gguf');
      const isModel = entry.isDirectory() || entry.name.endsWith('.gguf');
      if (isModel && !places.has(name)) places.set(name, path.join(folder, entry.name));
    }
  }
  for (const [name, location] of cachedModels()) if (!places.has(name)) places.set(name, location);
  return places;
}

function measure({ tensors }: Checkpoint): { sizeBytes: number; types: string } {
  const byType = new Map<string, number>();
  for (const { type, sizeBytes } of Array.from(tensors.values(), onDisk))
    byType.set(type, (byType.get(type) ?? 0) + sizeBytes);
  const sorted = [...byType].sort((a, b) => b[1] - a[1]);
  return {
    sizeBytes: sorted.reduce((sum, [, bytes]) => sum + bytes, 0),
    types: sorted.map(([type]) => type).join(', '),
  };
}
