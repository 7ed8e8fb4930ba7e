/**
 * The tools of a request. The model was not trained to choose a tool, so with `tool_choice` "auto" it answers with text. A required call
 * is enforced, like in vLLM.
 */
import { type FunctionTool, RequiredCall } from '../../generate/required-call.ts';
import { type FieldCheck, fieldError, isJsonObject, type JsonObject, shown } from './fields.ts';

/**
 * @returns the required call, or undefined if the answer is text
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
  /** Names of the tools that may be called; null: all. */
  names: readonly string[] | null;
}

/** Reads the formats of both APIs of OpenAI. */
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

/** The older fields of OpenAI, which tools replaced. */
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
