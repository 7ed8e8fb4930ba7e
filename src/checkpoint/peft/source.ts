import { CogVLM2Error } from '../../errors.ts';
import { openAdapter, type PeftAdapter, type ScaledAdapter } from './adapter.ts';

/** A folder as PEFT saves it, such as `./receipts`; with `scale`, that multiple of its change. */
export type AdapterSource = string | { path: string; scale?: number };

/** @throws CogVLM2Error `file_not_found`, `invalid_checkpoint`, `invalid_value` for a scale that is not possible */
export function openAdapters(sources: readonly AdapterSource[]): ScaledAdapter[] {
  const adapters = sources.map((source) => {
    const { path, scale = 1 } = typeof source === 'string' ? { path: source } : source;
    if (!Number.isFinite(scale))
      throw new CogVLM2Error(
        'invalid_value',
        `The scale of the adapter ${path} is ${scale}, but it must be a number.`,
      );
    const adapter = openAdapter(path);
    const [whole] = adapter.replaced.keys();
    if (whole !== undefined && scale !== 1) {
      throw new CogVLM2Error(
        'invalid_value',
        `The adapter ${path} replaces ${whole}, which cannot be scaled by ${scale}; use it without a scale.`,
      );
    }
    return { adapter, scale };
  });
  checkTogether(adapters);
  return adapters;
}

/** The changes of several adapters are added. What replaces a tensor, or its length (DoRA), cannot be added to another change. */
function checkTogether(adapters: readonly ScaledAdapter[]): void {
  const changed = new Map<string, { adapter: PeftAdapter; isSum: boolean }>();
  for (const { adapter } of adapters) {
    const changes = [
      ...Array.from(adapter.modules, ([name, { magnitude }]) => ({
        name: `${name}.weight`,
        isSum: magnitude === null,
      })),
      ...Array.from(adapter.replaced.keys(), (name) => ({ name, isSum: false })),
    ];
    for (const { name, isSum } of changes) {
      const other = changed.get(name);
      if (other && other.adapter !== adapter && !(isSum && other.isSum)) {
        throw new CogVLM2Error(
          'invalid_value',
          `The adapters ${other.adapter.path} and ${adapter.path} both change ${name}, and one of them replaces it or uses DoRA, so their changes cannot be added.`,
        );
      }
      changed.set(name, { adapter, isSum });
    }
  }
}
