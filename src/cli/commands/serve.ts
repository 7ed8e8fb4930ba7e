/** `cogvlm2 serve`: an OpenAI-compatible API and a chat page. */

import { readFile } from 'node:fs/promises';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { packageVersion } from '../../files/folders.ts';
import { reportListening } from '../../server/supervise.ts';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { formatBytes, formatCount } from '../format.ts';
import { DEMO_NOTICE, loadOptions, parseServedAdapters } from '../open-model.ts';
import { debugOption, keysIn, modelOptions, outputOptions, servedAdapterOption } from '../options.ts';
import { createProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';

const inServer = flagGroup('Server');
const inAccess = flagGroup('Access');
const inLimits = flagGroup('Limits');
const { quiet } = outputOptions;

const serveOptions = z.object({
  host: inServer(
    z.string().min(1).default('127.0.0.1'),
    'Address to listen on; 0.0.0.0 means all addresses.',
    {
      value: 'HOST',
    },
  ),
  port: inServer(z.int().min(0).max(65535).default(8000), 'Port to listen on; 0 means any free port.', {
    value: 'N',
  }),
  alias: inServer(
    z.array(z.string().min(1)).default([]),
    'Additional name of the model in requests; may be repeated.',
    { value: 'NAME' },
  ),
  imagePrompt: inServer(
    z.string().min(1).optional(),
    'Question for an image without text; by default "Describe this image." in the language of the request.',
    { value: 'TEXT' },
  ),
  logLevel: inServer(
    z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('info'),
    'Log level, for JSON lines on standard error; the content of requests is never logged.',
    { value: 'LEVEL' },
  ),
  apiKey: inAccess(
    z.array(z.string()).default([]),
    'API key that requests need; may be repeated. Other users of the machine can see flags, so prefer the variable.',
    { value: 'KEY' },
  ),
  apiKeyFile: inAccess(
    z.string().min(1).optional(),
    'File with one API key in each line; lines that begin with # are comments.',
    {
      value: 'PATH',
    },
  ),
  insecure: inAccess(z.boolean().default(false), 'Allow other machines to connect without an API key.'),
  allowedHost: inAccess(
    z.array(z.string().min(1)).default([]),
    'Additional name that the Host header may have; may be repeated.',
    { value: 'NAME' },
  ),
  corsOrigin: inAccess(
    z.array(z.string().min(1)).default([]),
    'Origin, such as https://example.com, whose pages may use the server, or * for all; may be repeated.',
    { value: 'ORIGIN' },
  ),
  trustedProxy: inAccess(
    z.array(z.string().min(1)).default([]),
    'Address, or network such as 10.0.0.0/8, of a proxy whose X-Forwarded-For is trusted; may be repeated.',
    { value: 'ADDRESS' },
  ),
  allowImageUrls: inAccess(
    z.boolean().default(false),
    'Fetch images from http(s) URLs in requests, from public addresses only.',
  ),
  allowImageHost: inAccess(
    z.array(z.string().min(1)).default([]),
    'Host to fetch images from, public or not; may be repeated.',
    { value: 'HOST' },
  ),
  slots: inLimits(z.int().min(1).max(64).default(4), 'Number of answers to generate at the same time.', {
    value: 'N',
  }),
  maxQueue: inLimits(z.int().min(0).max(100_000).default(64), 'Maximum number of requests in the queue.', {
    value: 'N',
  }),
  maxPerClient: inLimits(
    z.int().min(1).optional(),
    'Maximum number of running and queued requests of one API key or one address.',
    { value: 'N' },
  ),
  timeLimitSeconds: inLimits(
    z.int().min(1).max(86_400).default(600),
    'Longest time for one request without any progress: uploading, waiting, an image layer, a part of the prompt, a token.',
    {
      value: 'N',
    },
  ),
  drainSeconds: inLimits(
    z.int().min(0).max(86_400).default(30),
    'Time for running requests to finish at shutdown.',
    { value: 'N' },
  ),
  maxAnswerTokens: inLimits(
    z.int().min(1).optional(),
    'Maximum answer length of a request in tokens; by default the rest of the context.',
    { value: 'N' },
  ),
  maxBodyBytes: inLimits(
    z
      .int()
      .min(1024)
      .max(2 ** 30)
      .default(32 * 2 ** 20),
    'Maximum size of a request body, with images.',
    { value: 'N' },
  ),
  maxJsonBytes: inLimits(
    z
      .int()
      .min(1024)
      .max(16 * 2 ** 20)
      .default(2 ** 20),
    'Maximum size of a request body, without images.',
    { value: 'N' },
  ),
  maxImagePixels: inLimits(
    z.int().min(1).max(64_000_000).default(64_000_000),
    'Maximum image size, width times height.',
    { value: 'N' },
  ),
  ...modelOptions,
  adapter: servedAdapterOption,
  quiet,
  ...debugOption,
});
type ServeChoice = z.output<typeof serveOptions>;

export const serve = defineCommand({
  name: 'serve',
  summary: 'Serve an OpenAI-compatible API and a chat page',
  arguments: [],
  options: serveOptions,
  examples: [
    { about: 'For this machine only, at http://127.0.0.1:8000', line: 'cogvlm2 serve' },
    {
      about: 'For other machines, with an API key',
      line: 'COGVLM2_API_KEY="$(openssl rand -hex 24)" cogvlm2 serve --host 0.0.0.0',
    },
    {
      about: 'Another model, eight answers at a time',
      line: 'cogvlm2 serve -m cogvlm2-llama3-chat-19B --slots 8',
    },
    {
      about: 'One base model and two fine-tuned ones, which requests choose by name',
      line: 'cogvlm2 serve -m cogvlm2-llama3-chat-19B --adapter receipts=./receipts --adapter cards=./cards',
    },
  ],
  notes: `When the server is ready, it prints one line with its address and model. [server.md](server.md) describes endpoints,
limits, metrics and security. Ctrl-C or SIGTERM stops it: running requests get up to \`--drain-seconds\` to finish, and the exit
status is 0. A second signal ends it at once. The server does not start, with exit status 2, if it cannot listen, 4 if the model
cannot be loaded, and 6 if the engine does not run on this machine. Server and engine are separate processes; one that crashes
is restarted.

With \`--adapter NAME=FOLDER\`, requests whose \`model\` is NAME use the adapter; without a name, all requests do
([adapters](adapters.md)).

\`COGVLM2_API_KEY\` and the other lists take one value in each line.`,

  async run(_args, options, { terminal, library }) {
    checkKeys(options.apiKey, '--api-key and COGVLM2_API_KEY');
    checkOrigins(options.corsOrigin);
    checkProxies(options.trustedProxy);
    const apiKeys = [...options.apiKey, ...(await keysOf(options.apiKeyFile))];
    const progress = createProgress(terminal, options.quiet);
    using stop = stopOnSignal(terminal);
    const { alias, slots, allowImageHost, allowedHost, corsOrigin, trustedProxy, ...rest } = options;
    const server = await library
      .serve(
        {
          ...rest,
          apiKeys,
          aliases: alias,
          allowImageHosts: allowImageHost,
          allowedHosts: allowedHost,
          corsOrigins: corsOrigin,
          trustedProxies: trustedProxy,
          parallel: slots,
          logTo: terminal.stderr,
          version: packageVersion(),
          load: {
            ...loadOptions({ ...options, adapter: [] }),
            ...parseServedAdapters(options.adapter),
            parallel: slots,
          },
          onLoading: progress.report,
        },
        stop.signal,
      )
      .finally(progress.clear);
    const { name, isDemo, contextSize, sizeBytes } = server.model;
    if (isDemo && !options.quiet) terminal.stderr.write(DEMO_NOTICE);
    terminal.stdout.write(
      `cogvlm2: ${name} (${formatBytes(sizeBytes)}, ${formatCount(contextSize)} tokens of context) at ${server.url}, API at ${server.url}/v1\n`,
    );
    reportListening(server.url);
    await aborted(stop.signal);
    await server.close();
    return 0;
  },
});

async function keysOf(path: ServeChoice['apiKeyFile']): Promise<string[]> {
  if (path === undefined) return [];
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new CogVLM2Error('file_not_found', `The key file ${path} cannot be read (${cause.code}).`, {
      cause,
    });
  });
  const keys = keysIn(text);
  if (keys.length === 0) throw new CogVLM2Error('invalid_value', `The key file ${path} holds no key.`);
  checkKeys(keys, path);
  return keys;
}

/** @throws CogVLM2Error `invalid_value`, which shows no key. */
function checkKeys(keys: readonly string[], source: string): void {
  const bad = keys.findIndex((key) => !/^\S{8,}$/.test(key));
  if (bad < 0) return;
  throw new CogVLM2Error(
    'invalid_value',
    `Key ${bad + 1} of ${source} must have at least 8 characters and no spaces.`,
  );
}

/** Browsers send an origin without a path, so another spelling would never match. @throws CogVLM2Error `invalid_value` */
function checkOrigins(origins: readonly string[]): void {
  const wrong = origins.find(
    (origin) => origin !== '*' && !(URL.canParse(origin) && new URL(origin).origin === origin),
  );
  if (wrong === undefined) return;
  throw new CogVLM2Error(
    'invalid_value',
    `--cors-origin is ${JSON.stringify(wrong)}, but an origin is needed, such as https://example.com or http://localhost:3000, or *.`,
  );
}

/** @throws CogVLM2Error `invalid_value` */
function checkProxies(proxies: readonly string[]): void {
  const wrong = proxies.find((proxy) => !ipaddr.isValid(proxy) && !ipaddr.isValidCIDR(proxy));
  if (wrong === undefined) return;
  throw new CogVLM2Error(
    'invalid_value',
    `--trusted-proxy is ${JSON.stringify(wrong)}, but an address is needed, such as 10.0.0.7, or a network, such as 10.0.0.0/8.`,
  );
}

/** The first SIGINT or SIGTERM; a second finds no listener and ends the process. */
function stopOnSignal(terminal: Terminal): { signal: AbortSignal } & Disposable {
  const stopped = new AbortController();
  const forget = () => {
    for (const one of listening) one();
  };
  const stop = () => {
    forget();
    stopped.abort();
  };
  const listening = [terminal.onInterrupt(stop), terminal.onTerminate(stop)];
  return { signal: stopped.signal, [Symbol.dispose]: forget };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
