import { isSchemaObject, refuse } from './keywords.ts';

/** The targets of the JSON pointers within a schema. References to references are followed. */
export class References {
  readonly #root: unknown;
  /** A long chain of references is followed once, whichever of its members is asked for. */
  readonly #targets = new Map<string, unknown>();

  constructor(root: unknown) {
    this.#root = root;
  }

  /** @throws CogVLM2Error `invalid_json_schema` */
  target(reference: string, at: string): unknown {
    const passed = new Set<string>();
    let pointer = reference;
    let target: unknown;
    for (;;) {
      if (passed.has(pointer))
        refuse(at, `refers to itself through ${JSON.stringify(pointer)} and nothing else`);
      passed.add(pointer);
      if (this.#targets.has(pointer)) {
        target = this.#targets.get(pointer);
        break;
      }
      target = follow(this.#root, pointer, at);
      if (!isSchemaObject(target) || typeof target.$ref !== 'string') break;
      pointer = target.$ref;
    }
    for (const each of passed) this.#targets.set(each, target);
    return target;
  }
}

function follow(root: unknown, pointer: string, at: string): unknown {
  const [document, ...parts] = pointer.split('/');
  if (document !== '#')
    refuse(at, `refers to ${JSON.stringify(pointer)}; only references within the schema are followed`);
  let target: unknown = root;
  for (const part of parts) {
    const name = decoded(part, pointer, at).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof target !== 'object' || target === null || !Object.hasOwn(target, name)) {
      refuse(at, `refers to ${JSON.stringify(pointer)}, which is not there`);
    }
    target = (target as Record<string, unknown>)[name];
  }
  return target;
}

function decoded(part: string, pointer: string, at: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    refuse(at, `refers to ${JSON.stringify(pointer)}, which is not percent-encoded as a URI is`);
  }
}
