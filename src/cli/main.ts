#!/usr/bin/env node
/** The program `cogvlm2`: this process's streams and exit status around one run. Nothing else ends the process. */
import { writeProblem } from '../files/atomic-file.ts';
import { endWithSupervisor, isSupervised, supervise } from '../server/supervise.ts';
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

const argv = process.argv.slice(2);
if (isSupervised()) endWithSupervisor();
const exitCode =
  argv[0] === 'serve' && !isSupervised()
    ? await supervise({ argv: process.argv.slice(1) })
    : await runProgram(argv, { terminal: processTerminal(outputClosed.signal), library });
if (!outputFailed) process.exitCode = exitCode;
