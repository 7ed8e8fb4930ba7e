/** The LoRA adapters of a loaded model: those for all answers, and those that a request can name. */
import {
  type AdapterSource,
  adapterFingerprint,
  changesImages,
  openAdapters,
  type ScaledAdapter,
} from '../checkpoint/peft/adapter.ts';
import { CogVLM2Error } from '../errors.ts';
import { nearest } from '../messages.ts';
import type { Adapters } from '../model/lora.ts';

export interface AdapterOptions {
  /**
   * LoRA adapters for all answers: folders in PEFT's format. The changes of several are added. They run without a merge,
   * which may be quantized.
   */
  adapter?: AdapterSource | readonly AdapterSource[];
  /** Adapters by name, for requests whose `adapter` is that name; in addition to those of `adapter`. */
  adapters?: Readonly<Record<string, AdapterSource | readonly AdapterSource[]>>;
}

export interface AdapterInfo {
  /** The value of a request's `adapter`; null for an adapter of all answers. */
  name: string | null;
  path: string;
  scale: number;
  sizeBytes: number;
  /** A hash of the adapter's numbers. */
  fingerprint: string;
}

export class LoadedAdapters {
  /** For the model. '' is used for requests without an adapter. */
  readonly byName: Adapters;
  readonly info: readonly AdapterInfo[];
  /** See `imageKeyOf`. */
  readonly #imageKeys: ReadonlyMap<string, string>;

  /** @throws CogVLM2Error `file_not_found`, `invalid_checkpoint`, `invalid_value` */
  constructor({ adapter = [], adapters = {} }: AdapterOptions) {
    const always = openAdapters([adapter].flat());
    const named = Object.entries(adapters).map(([name, sources]) => {
      if (name.trim() === '')
        throw new CogVLM2Error('invalid_value', 'The name of an adapter must not be empty.');
      return [name, openAdapters([sources].flat())] as const;
    });
    this.byName = new Map([
      ['', always],
      ...named.map(([name, own]) => [name, [...always, ...own]] as const),
    ]);
    this.info = [
      ...always.map((each) => describe(null, each)),
      ...named.flatMap(([name, own]) => own.map((each) => describe(name, each))),
    ];
    this.#imageKeys = new Map(
      Array.from(this.byName, ([name, list]) => [
        name,
        list.some(({ adapter }) => changesImages(adapter)) ? adapterFingerprint(list, 'images') : '',
      ]),
    );
  }

  /** @throws CogVLM2Error `invalid_value` for a name that was not loaded */
  check(name: string | undefined): string {
    if (name === undefined) return '';
    if (name !== '' && this.byName.has(name)) return name;
    const names = [...this.byName.keys()].filter((each) => each !== '');
    const alike = nearest(name, names);
    const hint = alike === undefined ? '' : ` Did you mean ${JSON.stringify(alike)}?`;
    const loaded = names.length === 0 ? 'No adapter was loaded by name' : `Loaded: ${names.join(', ')}`;
    throw new CogVLM2Error('invalid_value', `There is no adapter ${JSON.stringify(name)}. ${loaded}.${hint}`);
  }

  /** Adapters with the same key encode an image to the same tokens; '' is the key without adapters. */
  imageKeyOf(name: string): string {
    return this.#imageKeys.get(name) ?? '';
  }
}

function describe(name: string | null, { adapter, scale }: ScaledAdapter): AdapterInfo {
  const { path, sizeBytes } = adapter;
  return { name, path, scale, sizeBytes, fingerprint: adapterFingerprint([{ adapter, scale }]) };
}
