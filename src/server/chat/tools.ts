/**
 * Tools. The model was not trained to choose one, so with `tool_choice` "auto" it answers in text. Where a call is
 * required, the grammar of the answer is the schema of the tool's arguments, as in vLLM.
 */
import { askForJson } from '../../generate/extract.ts';
import type { AnswerFormat } from '../../index.ts';
import { type FieldCheck, fieldError, isJsonObject, type JsonObject, shown } from './fields.ts';

interface FunctionTool {
  name: string;
  description: string;
  parameters: JsonObject;
}

export interface ToolCall {
  name: string;
  /** JSON; incomplete where the answer was cut. */
  arguments: string;
}

/** The call that an answer must be. */
export class RequiredCall {
  readonly #tools: readonly FunctionTool[];

  constructor(tools: readonly FunctionTool[]) {
    this.#tools = tools;
  }

  get format(): AnswerFormat & { type: 'json_schema' } {
    return { type: 'json_schema', schema: this.#only?.parameters ?? this.#anyOfSchema() };
  }

  /** The question, and what the model must know of the tools to answer it by a call. */
  questionFor(question: string): string {
    const about = this.#tools.map(({ name, description }) =>
      description === '' ? `Function ${name}` : `Function ${name}: ${description}`,
    );
    return askForJson([question, ...about].join('\n'), this.format.schema);
  }

  /** The call in an answer, or in as much of it as there is; null while the tool is not known. */
  callIn(answer: string, isComplete: boolean): ToolCall | null {
    if (this.#only) return { name: this.#only.name, arguments: answer };
    // The grammar keeps this order and adds no properties.
    const head = /^\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*/.exec(answer);
    if (head === null) return null;
    const rest = answer.slice(head[0].length);
    return {
      name: String(JSON.parse(head[1]!)),
      arguments: isComplete ? rest.replace(/\s*\}\s*$/, '') : rest,
    };
  }

  /** Whether the arguments are all of the answer, so that they can be streamed as they come. */
  get isSingle(): boolean {
    return this.#tools.length === 1;
  }

  get #only(): FunctionTool | undefined {
    return this.isSingle ? this.#tools[0] : undefined;
  }

  #anyOfSchema(): JsonObject {
    return {
      anyOf: this.#tools.map(({ name, parameters }, i) => ({
        type: 'object',
        properties: {
          name: { const: name },
          arguments: withReferencesBelow(`#/anyOf/${i}/properties/arguments`, parameters),
        },
        required: ['name', 'arguments'],
        additionalProperties: false,
      })),
    };
  }
}

/** A schema that is now part of another one: its references start at its new place. */
function withReferencesBelow(place: string, schema: JsonObject): unknown {
  const moved = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(moved);
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [
        key,
        key === '$ref' && typeof child === 'string' && child.startsWith('#')
          ? `${place}${child.slice(1)}`
          : moved(child),
      ]),
    );
  };
  return moved(schema);
}

/**
 * @returns the call that is required, or undefined where the answer is text
 * @throws ApiError invalid_value, unsupported
 */
export function readTools(body: JsonObject, fields: FieldCheck): RequiredCall | undefined {
  refuseLegacyFunctions(body);
  const tools = body.tools ?? [];
  if (!Array.isArray(tools)) throw fieldError('tools', `tools must be a list; got ${shown(tools)}.`);
  const choice = readChoice(body.tool_choice, fields);
  if (choice.mode === 'none') return undefined;
  if (choice.mode === 'auto') {
    if (tools.length > 0) {
      fields.warn(
        'tools were ignored: the model was not trained to choose one. Send tool_choice "required" or a named function to have a call.',
      );
    }
    return undefined;
  }
  const functions = tools.flatMap((tool, i) => readFunction(tool, `tools[${i}]`, fields));
  const { names } = choice;
  const unknown = names?.find((name) => !functions.some((tool) => tool.name === name));
  if (unknown !== undefined) {
    throw fieldError('tool_choice', `tool_choice names ${shown(unknown)}, which is not a function in tools.`);
  }
  const allowed = names === null ? functions : functions.filter(({ name }) => names.includes(name));
  if (allowed.length === 0) {
    throw fieldError('tools', `tool_choice is ${shown(body.tool_choice)}, but tools has no function.`);
  }
  return new RequiredCall(allowed);
}

interface ToolChoice {
  mode: 'none' | 'auto' | 'required';
  /** The tools that may be called; null for all. */
  names: readonly string[] | null;
}

/** OpenAI's forms, of both of its APIs. */
function readChoice(choice: unknown, fields: FieldCheck): ToolChoice {
  if (choice === undefined || choice === null) return { mode: 'auto', names: null };
  if (choice === 'none' || choice === 'auto' || choice === 'required') return { mode: choice, names: null };
  if (isJsonObject(choice) && choice.type === 'function') {
    const name = nameIn(choice);
    if (name !== undefined) {
      fields.check(choice, 'tool_choice', ['type', 'function', 'name']);
      return { mode: 'required', names: [name] };
    }
  }
  if (isJsonObject(choice) && choice.type === 'allowed_tools') {
    const allowed = isJsonObject(choice.allowed_tools) ? choice.allowed_tools : choice;
    const { mode, tools } = allowed;
    const names = Array.isArray(tools)
      ? tools.map((tool) => (isJsonObject(tool) ? nameIn(tool) : undefined))
      : [];
    const known = names.filter((name) => name !== undefined);
    if ((mode === 'auto' || mode === 'required') && known.length > 0 && known.length === names.length) {
      return { mode, names: known };
    }
  }
  throw fieldError(
    'tool_choice',
    `tool_choice must be "none", "auto", "required" or {"type":"function","function":{"name":"..."}}; got ${shown(choice)}.`,
  );
}

/** The name of a function: the Responses API has it beside `type`. */
function nameIn(tool: JsonObject): string | undefined {
  const name = isJsonObject(tool.function) ? tool.function.name : tool.name;
  return typeof name === 'string' ? name : undefined;
}

function readFunction(tool: unknown, at: string, fields: FieldCheck): FunctionTool[] {
  if (!isJsonObject(tool) || typeof tool.type !== 'string') {
    throw fieldError(
      at,
      `${at} must be {"type":"function","function":{"name":"...","parameters":{...}}}; got ${shown(tool)}.`,
    );
  }
  if (tool.type !== 'function') {
    fields.warn(`${at} was ignored: tools of the type ${shown(tool.type)} cannot be called here`);
    return [];
  }
  const inner = isJsonObject(tool.function) ? tool.function : tool;
  const { name, description, parameters } = inner;
  if (typeof name !== 'string' || name === '') {
    throw fieldError(at, `${at} must have the name of a function; got ${shown(name)}.`);
  }
  if (parameters !== undefined && parameters !== null && !isJsonObject(parameters)) {
    throw fieldError(
      at,
      `The parameters of ${at} must be a JSON Schema as an object; got ${shown(parameters)}.`,
    );
  }
  return [
    {
      name,
      description: typeof description === 'string' ? description : '',
      parameters:
        isJsonObject(parameters) && Object.keys(parameters).length > 0
          ? parameters
          : { type: 'object', properties: {}, additionalProperties: false },
    },
  ];
}

/** OpenAI's fields before there were tools. */
function refuseLegacyFunctions({ functions, function_call: choice }: JsonObject): void {
  if (isJsonObject(choice)) {
    throw fieldError(
      'function_call',
      'function_call is not supported here. Use tools and tool_choice.',
      'unsupported',
    );
  }
  if (Array.isArray(functions) && functions.length > 0 && choice !== 'none') {
    throw fieldError(
      'functions',
      'functions is not supported here. Use tools and tool_choice.',
      'unsupported',
    );
  }
}
