import { isSchemaObject, refuse } from './keywords.ts';

/** The target of a JSON pointer within the schema. References to references are followed. */
export function resolve(root: unknown, reference: string, at: string): unknown {
  const passed = new Set<string>();
  let pointer = reference;
  for (;;) {
    if (passed.has(pointer))
      refuse(at, `refers to itself through ${JSON.stringify(pointer)} and nothing else`);
    passed.add(pointer);
    const target = follow(root, pointer, at);
    if (!isSchemaObject(target) || typeof target.$ref !== 'string') return target;
    pointer = target.$ref;
  }
}

function follow(root: unknown, pointer: string, at: string): unknown {
  const [document, ...parts] = pointer.split('/');
  if (document !== '#')
    refuse(at, `refers to ${JSON.stringify(pointer)}; only references within the schema are followed`);
  let target: unknown = root;
  for (const part of parts) {
    const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof target !== 'object' || target === null || !Object.hasOwn(target, name)) {
      refuse(at, `refers to ${JSON.stringify(pointer)}, which is not there`);
    }
    target = (target as Record<string, unknown>)[name];
  }
  return target;
}
