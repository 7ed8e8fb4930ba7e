/** All commands, in the order of the help. To add one, write its file in commands/ and add it here. */
import type { Command } from './command.ts';
import { ask } from './commands/ask.ts';
import { batch } from './commands/batch.ts';
import { bench } from './commands/bench.ts';
import { cache } from './commands/cache.ts';
import { chat } from './commands/chat.ts';
import { convert } from './commands/convert.ts';
import { doctorFor } from './commands/doctor.ts';
import { evalCompare, evalExport, evalMerge, evalScore } from './commands/eval-files.ts';
import { evalRun } from './commands/eval-run.ts';
import { models } from './commands/models.ts';
import { plan } from './commands/plan.ts';
import { pull } from './commands/pull.ts';
import { report } from './commands/report.ts';
import { serve } from './commands/serve.ts';
import { trace } from './commands/trace.ts';
import { worker } from './commands/worker.ts';

const working: readonly Command[] = [
  ask,
  chat,
  batch,
  worker,
  serve,
  models,
  cache,
  pull,
  convert,
  plan,
  trace,
  evalRun,
  evalScore,
  evalMerge,
  evalCompare,
  evalExport,
  report,
  bench,
];

export const commands: readonly Command[] = [...working, doctorFor(working)];
