/** The values of `--adapter`: `FOLDER`, `FOLDER:SCALE`, and at a server `NAME=FOLDER`. */
import { existsSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';

export interface AdapterArgument {
  path: string;
  scale: number;
}

/** A folder that exists under the whole text is taken as it is. */
export function parseAdapter(text: string): AdapterArgument {
  const [, path, scale] = /^(.+):([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/.exec(text) ?? [];
  if (path === undefined || existsSync(text)) return { path: text, scale: 1 };
  return { path, scale: Number(scale) };
}

/** What a server loads: adapters that requests name, and those of all requests. @throws CogVLM2Error `invalid_value` */
export function parseServedAdapters(texts: readonly string[]): {
  adapter: AdapterArgument[];
  adapters: Record<string, AdapterArgument>;
} {
  const adapter: AdapterArgument[] = [];
  const adapters = new Map<string, AdapterArgument>();
  for (const text of texts) {
    const [, name, source] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
    const isNamed = name !== undefined && source !== undefined && !existsSync(text);
    if (!isNamed) adapter.push(parseAdapter(text));
    else if (adapters.has(name)) {
      throw new CogVLM2Error('invalid_value', `--adapter has two adapters named ${JSON.stringify(name)}.`);
    } else adapters.set(name, parseAdapter(source));
  }
  return { adapter, adapters: Object.fromEntries(adapters) };
}
