/**
 * The package @mlc-ai/web-xgrammar: grammars as masks over a vocabulary, in WebAssembly. It is loaded when the first
 * answer needs it (1.1 MB, some 50 ms).
 *
 * Its one file is written for CommonJS inside a package of ES modules, so that neither `import` nor `require` loads
 * it as it is. It is compiled here as the CommonJS module that it is, which also gives it a console of its own: that
 * is where it says why it refuses a grammar, before it aborts.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';

type Exports = typeof import('@mlc-ai/web-xgrammar');

export type { CompiledGrammar, GrammarMatcher, TokenizerInfo } from '@mlc-ai/web-xgrammar';

export interface XGrammar extends Exports {
  /** What it wrote last, which is the reason after a failure. */
  lastWords(): string;
}

let loaded: XGrammar | null = null;

export function loadXGrammar(): XGrammar {
  loaded ??= load();
  return loaded;
}

/** After a failure its memory cannot be trusted: who asks next gets a fresh instance. */
export function abandonXGrammar(failed: XGrammar): void {
  if (loaded === failed) loaded = null;
}

function load(): XGrammar {
  const require = createRequire(import.meta.url);
  const file = require.resolve('@mlc-ai/web-xgrammar');
  // The only dynamic import in it; compiled code may not have one without an experimental flag of Node.
  const source = readFileSync(file, 'utf8').replace("await import('module')", "require('module')");
  const exports = {};
  let words = '';
  const say = (...parts: unknown[]) => {
    // "[FATAL] /where/it/was/built.cc:902: the reason"; then "Aborted()", which says nothing.
    const reason = parts.join(' ').replace(/^\[\w+\] \S+: /, '');
    if (!reason.startsWith('Aborted')) words = reason;
  };
  const console = { log: say, info: say, warn: say, error: say };
  const run = compileFunction(source, ['exports', 'require', 'module', '__filename', 'console'], {
    filename: file,
  });
  run(exports, createRequire(file), { exports }, file, console);
  return Object.assign(exports as Exports, { lastWords: () => words });
}
