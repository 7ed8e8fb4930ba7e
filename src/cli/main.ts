#!/usr/bin/env node
/** The program `cogvlm2`: connects the process's streams and exit status to one run. Nothing else ends the process. */
import { readFileSync } from 'node:fs';
import { nameOf } from '../files/input-file.ts';
import { writeProblem } from '../files/writing.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { library } from './library-calls.ts';
import { runProgram } from './program.ts';
import { processTerminal } from './terminal.ts';

const outputClosed = new AbortController();
let outputFailed = false;

// `cogvlm2 ask … | head -1` closes the pipe early, which is not an error. A full disk with `> file` is an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && !outputFailed) {
    outputFailed = true;
    process.stderr.write(`cogvlm2: standard output cannot be written: ${writeProblem(error)}.\n`);
    process.exitCode = EXIT_CODES.output;
  }
  outputClosed.abort();
});
process.stderr.on('error', () => {});

const argv = programArguments();
const exitCode = argv[0] === 'serve' ? await serve() : await run();
if (!outputFailed) process.exitCode = exitCode;

function run(): Promise<number> {
  return runProgram(argv, { terminal: processTerminal(outputClosed.signal), library });
}

/** Loads the server's code here, so that the other commands start without it. */
async function serve(): Promise<number> {
  const { endWithSupervisor, isSupervised, supervise } = await import('../server/supervise.ts');
  if (!isSupervised()) return supervise({ argv: process.argv.slice(1) });
  endWithSupervisor();
  return run();
}

/** Node replaces bytes of an argument that are not UTF-8. On Linux the original bytes are available, for file names. */
function programArguments(): string[] {
  const words = process.argv.slice(2);
  if (!words.some((word) => word.includes('\uFFFD'))) return words;
  try {
    const text = readFileSync('/proc/self/cmdline').toString('latin1');
    const all = text.split('\0').slice(0, -1);
    return all.slice(all.length - words.length).map((word) => nameOf(Buffer.from(word, 'latin1')));
  } catch {
    return words; // Another system.
  }
}
