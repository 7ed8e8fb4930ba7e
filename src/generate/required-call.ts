/** A required call of a tool. The grammar of the answer is the schema of the tool's arguments. */
import type { AnswerFormat } from '../grammar/answer-grammar.ts';
import { askForJson } from './extract.ts';

export interface FunctionTool {
  name: string;
  description: string;
  /** A JSON Schema. */
  parameters: object;
}

export interface ToolCall {
  name: string;
  /** JSON; incomplete if the answer was cut. */
  arguments: string;
}

/** The required call. */
export class RequiredCall {
  readonly #tools: readonly FunctionTool[];

  constructor(tools: readonly FunctionTool[]) {
    this.#tools = tools;
  }

  get format(): AnswerFormat & { type: 'json_schema' } {
    return { type: 'json_schema', schema: this.#only?.parameters ?? this.#anyOfSchema() };
  }

  /** The question with descriptions of the tools. */
  questionFor(question: string): string {
    const about = this.#tools.map(({ name, description }) =>
      description === '' ? `Function ${name}` : `Function ${name}: ${description}`,
    );
    return askForJson([question, ...about].join('\n'), this.format.schema);
  }

  /** The call in a complete or partial answer; null while the tool is not known. */
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

  /** Whether the whole answer is the arguments, so that they can be streamed. */
  get isSingle(): boolean {
    return this.#tools.length === 1;
  }

  get #only(): FunctionTool | undefined {
    return this.isSingle ? this.#tools[0] : undefined;
  }

  #anyOfSchema(): object {
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

/** Adjusts the references of a schema that becomes a part of another schema. */
function withReferencesBelow(place: string, schema: object): unknown {
  const moved = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(moved);
    if (typeof value !== 'object' || value === null) return value;
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
