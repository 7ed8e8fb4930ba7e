#!/usr/bin/env node
import { writeProblem } from '../files/atomic-file.ts';
/** The program `cogvlm2`: this process's streams and exit status around one run. Nothing else ends the process. */
import { EXIT_CODES } from './exit-codes.ts';
import { library } from './library.ts';
import { runProgram } from './program.ts';
import { processTerminal } from './terminal.ts';

const outputClosed = new AbortController();
let outputFailed = false;

// `cogvlm2 ask … | head -1` closes the pipe early: that is no error. A full disk behind `> file` is.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && !outputFailed) {
    outputFailed = true;
    process.stderr.write(`cogvlm2: standard output cannot be written: ${writeProblem(error)}.\n`);
    process.exitCode = EXIT_CODES.output;
  }
  outputClosed.abort();
});
process.stderr.on('error', () => {});

const exitCode = await runProgram(process.argv.slice(2), {
  terminal: processTerminal(outputClosed.signal),
  library,
});
if (!outputFailed) process.exitCode = exitCode;
