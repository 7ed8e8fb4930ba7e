/**
 * The one option schema of a command, read as a list of flags. A zod object says names, types, limits and defaults;
 * `flagNotes` beside it holds the words for people. Flags, environment variables, help and docs/cli.md all come from
 * this list.
 */
import { z } from 'zod';

export interface FlagNote {
  about: string;
  /** Heading in the help, such as "Model". */
  group: string;
  /** What the help calls the value: N, NAME, TEXT. */
  value?: string;
  /** One-letter form. */
  short?: string;
}

export const flagNotes = z.registry<FlagNote>();

export interface Flag extends FlagNote {
  /** As in the schema: maxTokens. */
  key: string;
  /** As typed: --max-tokens; a switch that is on by default is --no-history. */
  name: string;
  /** COGVLM2_MAX_TOKENS */
  env: string;
  kind: 'switch' | 'number' | 'text' | 'list';
  /** Undefined when the schema leaves the value open. */
  defaultValue: unknown;
  /** The words that an enum takes. */
  choices: readonly string[];
}

/** Adds a field's words, so that a schema reads `threads: inModel(z.int().min(1).optional(), 'Threads …')`. */
export function flagGroup(group: string) {
  return <T extends z.ZodType>(type: T, about: string, more: Pick<FlagNote, 'value' | 'short'> = {}): T => {
    flagNotes.add(type, { group, about, ...more });
    return type;
  };
}

export function flagsOf(schema: z.ZodObject): Flag[] {
  return Object.entries(schema.shape).map(([key, type]) => {
    const note = flagNotes.get(type as z.ZodType);
    if (note === undefined) throw new TypeError(`The option ${key} has no words: add it with flagGroup.`);
    const { inner, defaultValue } = unwrap(type as z.ZodType);
    const kind = kindOf(inner);
    const kebab = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return {
      ...note,
      key,
      kind,
      defaultValue,
      name: kind === 'switch' && defaultValue === true ? `--no-${kebab}` : `--${kebab}`,
      env: `COGVLM2_${kebab.replaceAll('-', '_').toUpperCase()}`,
      choices: inner instanceof z.ZodEnum ? inner.options.map(String) : [],
    };
  });
}

function unwrap(type: z.ZodType): { inner: z.ZodType; defaultValue: unknown } {
  if (type instanceof z.ZodDefault) {
    return { inner: type.unwrap() as z.ZodType, defaultValue: type.def.defaultValue };
  }
  if (type instanceof z.ZodOptional) return { inner: type.unwrap() as z.ZodType, defaultValue: undefined };
  return { inner: type, defaultValue: undefined };
}

function kindOf(type: z.ZodType): Flag['kind'] {
  if (type instanceof z.ZodBoolean) return 'switch';
  if (type instanceof z.ZodNumber) return 'number';
  if (type instanceof z.ZodArray) return 'list';
  return 'text';
}
