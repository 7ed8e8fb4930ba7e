/**
 * adapter_config.json of PEFT: the fields that decide the numbers of a LoRA adapter. The tensors decide which modules are
 * adapted, not `target_modules`, which may be a list, a regular expression or a keyword.
 */
import { runInNewContext } from 'node:vm';
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';

const rank = z.int().min(1).max(65_536);
const optional = <T>(type: z.ZodType<T>, standard: T) =>
  type.nullish().transform((value) => value ?? standard);

const schema = z.looseObject({
  peft_type: z.string(),
  r: rank,
  lora_alpha: z.number(),
  use_rslora: optional(z.boolean(), false),
  use_dora: optional(z.boolean(), false),
  lora_bias: optional(z.boolean(), false),
  fan_in_fan_out: optional(z.boolean(), false),
  rank_pattern: optional(z.record(z.string(), rank), {}),
  alpha_pattern: optional(z.record(z.string(), z.number()), {}),
  modules_to_save: optional(z.array(z.string()), []),
  init_lora_weights: optional(z.union([z.boolean(), z.string()]), true),
  base_model_name_or_path: optional(z.string(), ''),
});

export interface PeftConfig {
  usesDora: boolean;
  hasLoraBias: boolean;
  /** Modules that are stored completely. */
  modulesToSave: readonly string[];
  /** The base model, as the author named it; empty if not given. */
  baseModel: string;
  /** By module path, such as `model.layers.0.self_attn.vision_expert_dense`. */
  rankOf(modulePath: string): number;
  /** The factor of B A x: alpha / r, or alpha / sqrt(r) with `use_rslora`. */
  scaleOf(modulePath: string): number;
}

/** Fields that change the result in ways that are not implemented here, if they are set. */
const unsupported = [
  'fan_in_fan_out',
  'layer_replication',
  'use_qalora',
  'use_bdlora',
  'kasa_config',
  'velora_config',
  'monteclora_config',
  'arrow_config',
  'alora_invocation_tokens',
  'target_parameters',
  'trainable_token_indices',
];

/** Fields that `isUnknownMethod` would refuse, but which only affect training, or which `init_lora_weights` decides. */
const harmless: ReadonlySet<string> = new Set([
  'use_rslora',
  'use_dora',
  'eva_config',
  'corda_config',
  'loftq_config',
  'lora_ga_config',
  'megatron_config',
  'runtime_config',
]);

/** Initializations that do not change the weights of the base model. */
const plainInitializations: ReadonlySet<string | boolean> = new Set([
  true,
  false,
  'true',
  'gaussian',
  'eva',
  'orthogonal',
]);

/** @throws CogVLM2Error `invalid_checkpoint` that names the field */
export function parsePeftConfig(text: string, file: string): PeftConfig {
  const fail = (why: string, cause?: unknown) =>
    new CogVLM2Error('invalid_checkpoint', `${file}: ${why}`, { cause });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw fail('this is not JSON.', cause);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = issue?.path.length ? `${issue.path.join('.')} is wrong: ` : '';
    throw fail(`${place}${issue?.message}. It is not the configuration of a PEFT adapter.`);
  }
  const config = parsed.data;
  if (config.peft_type !== 'LORA')
    throw fail(`peft_type is ${JSON.stringify(config.peft_type)}; only LORA is supported.`);
  for (const [field, value] of Object.entries(config)) {
    const isSet = value !== null && value !== undefined && value !== false;
    if (isSet && (unsupported.includes(field) || isUnknownMethod(field, value)))
      throw fail(`${field} is ${shown(value)}. It changes the result and is not supported.`);
  }
  const start = config.init_lora_weights;
  if (!plainInitializations.has(typeof start === 'string' ? start.toLowerCase() : start)) {
    throw fail(
      `init_lora_weights is ${shown(start)}: the training changed the weights of the base model, too. Save the adapter as a plain LoRA (PEFT: save_pretrained with path_initial_model_for_weight_conversion).`,
    );
  }
  const rankPatterns = new Patterns(config.rank_pattern, (why) => fail(`rank_pattern: ${why}`));
  const alphaPatterns = new Patterns(config.alpha_pattern, (why) => fail(`alpha_pattern: ${why}`));
  const rankOf = (modulePath: string) => rankPatterns.find(modulePath) ?? config.r;
  return {
    usesDora: config.use_dora,
    hasLoraBias: config.lora_bias,
    modulesToSave: config.modules_to_save,
    baseModel: config.base_model_name_or_path,
    rankOf,
    scaleOf: (modulePath) => {
      const [r, alpha] = [rankOf(modulePath), alphaPatterns.find(modulePath) ?? config.lora_alpha];
      return alpha / (config.use_rslora ? Math.sqrt(r) : r);
    },
  };
}

/** Options that PEFT may add later. Other unknown fields only affect training: ms-swift, for instance, adds learning rates. */
function isUnknownMethod(field: string, value: unknown): boolean {
  if (harmless.has(field)) return false;
  return (
    (field.startsWith('use_') && value === true) || (field.endsWith('_config') && typeof value === 'object')
  );
}

const shown = (value: unknown) => JSON.stringify(value).slice(0, 80);

/** Longest time for all patterns of one module: a pattern can take exponential time. */
const patternTimeMs = 1000;

/** Values by regular expression, as in `rank_pattern`: `^(.*\.)?(KEY)$` must match the module path, and the first match wins. */
class Patterns {
  readonly #values: readonly number[];
  readonly #sources: readonly string[];
  readonly #fail: (why: string) => CogVLM2Error;

  constructor(patterns: Readonly<Record<string, number>>, fail: (why: string) => CogVLM2Error) {
    this.#values = Object.values(patterns);
    this.#sources = Object.keys(patterns).map((key) => `^(.*\\.)?(${key})$`);
    this.#fail = fail;
    for (const key of Object.keys(patterns)) {
      try {
        new RegExp(`(${key})`);
      } catch {
        throw fail(`${JSON.stringify(key)} is no regular expression that this program can read.`);
      }
    }
  }

  find(modulePath: string): number | undefined {
    if (this.#sources.length === 0) return undefined;
    try {
      const script = 'sources.findIndex((source) => new RegExp(source).test(modulePath))';
      const context = { sources: this.#sources, modulePath };
      return this.#values[Number(runInNewContext(script, context, { timeout: patternTimeMs }))];
    } catch {
      throw this.#fail(`matching ${modulePath} takes more than ${patternTimeMs} ms.`);
    }
  }
}
