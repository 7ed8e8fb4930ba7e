/**
 * Options of a command. One zod schema has names, types, limits and defaults; `flagNotes` has the texts. The flags, the
 * environment variables, the help and docs/cli.md are generated from both.
 */
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { nearest } from '../messages.ts';

export interface FlagNote {
  about: string;
  /** Heading in the help, such as "Model". */
  group: string;
  /** The name of the value in the help: N, NAME, TEXT. */
  value?: string;
  /** One-letter form. */
  short?: string;
}

const flagNotes = z.registry<FlagNote>();

export interface Flag extends FlagNote {
  /** As in the schema: maxTokens. */
  key: string;
  /** The typed form: --max-tokens; for a switch that is on by default --no-history. */
  name: string;
  /** COGVLM2_MAX_TOKENS */
  env: string;
  kind: 'switch' | 'number' | 'text' | 'list';
  /** Undefined if the schema has no default. */
  defaultValue: unknown;
  /** The values of an enum. */
  choices: readonly string[];
}

/** Adds the texts of a field: `threads: inModel(z.int().min(1).optional(), 'Threads …')`. */
export function flagGroup(group: string) {
  return <T extends z.ZodType>(type: T, about: string, more: Pick<FlagNote, 'value' | 'short'> = {}): T => {
    flagNotes.add(type, { group, about, ...more });
    return type;
  };
}

export function flagsOf(schema: z.ZodObject): Flag[] {
  return Object.entries(schema.shape).map(([key, type]) => {
    const note = flagNotes.get(type as z.ZodType);
    if (note === undefined) throw new TypeError(`The option ${key} has no help text: add it with flagGroup.`);
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

/** Values from the command line by key of the schema: text for most flags, a boolean for a switch, texts for a list. */
export type WrittenValues = Readonly<Record<string, unknown>>;

/** Flags override environment variables, which override defaults. @throws CogVLM2Error invalid_value with the flag or variable */
export function resolveOptions<S extends z.ZodObject>(
  schema: S,
  written: WrittenValues,
  env: Readonly<Record<string, string | undefined>>,
): z.output<S> {
  const raw: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  for (const flag of flagsOf(schema)) {
    const fromEnv = env[flag.env];
    if (written[flag.key] !== undefined) {
      raw[flag.key] = convert(flag, written[flag.key], flag.name);
      origins.set(flag.key, flag.name);
    } else if (fromEnv !== undefined && fromEnv !== '') {
      raw[flag.key] = convert(flag, flag.kind === 'list' ? fromEnv.split('\n') : fromEnv, flag.env);
      origins.set(flag.key, flag.env);
    }
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const key = String(issue.path[0]);
  throw invalid(origins.get(key) ?? key, raw[key], requirement(issue));
}

/** One value, as in `/set temperature 0.7`. `name` is its name in an error. */
export function parseValue(schema: z.ZodObject, flag: Flag, text: string, name: string): unknown {
  const raw = convert(flag, flag.kind === 'list' ? [text] : text, name);
  const parsed = (schema.shape[flag.key] as z.ZodType).safeParse(raw);
  if (parsed.success) return parsed.data;
  throw invalid(name, raw, requirement(parsed.error.issues[0]!));
}

function convert(flag: Flag, value: unknown, origin: string): unknown {
  if (typeof value !== 'string') return value;
  if (flag.kind === 'number') {
    const number = value.trim() === '' ? Number.NaN : Number(value);
    if (!Number.isFinite(number)) throw invalid(origin, value, 'must be a number');
    return number;
  }
  if (flag.kind === 'switch') {
    if (/^(1|true|yes|on)$/i.test(value)) return true;
    if (/^(0|false|no|off)$/i.test(value)) return false;
    throw invalid(origin, value, 'must be 1 or 0');
  }
  if (flag.choices.length > 0 && !flag.choices.includes(value)) {
    const near = nearest(value, flag.choices);
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
    throw invalid(origin, value, `must be ${listed(flag.choices)}${hint}`);
  }
  return value;
}

function requirement(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small' && issue.origin === 'string') return 'must not be empty';
  if (issue.code === 'too_small')
    return `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
  if (issue.code === 'too_big')
    return `must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`;
  if (issue.code === 'invalid_type' && issue.expected === 'int') return 'must be a whole number';
  return `is not possible (${issue.message})`;
}

function invalid(origin: string, value: unknown, must: string): CogVLM2Error {
  return new CogVLM2Error('invalid_value', `${origin} is ${JSON.stringify(value)}, but ${must}.`);
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
