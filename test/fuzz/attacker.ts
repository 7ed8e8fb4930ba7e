/** What attacks on a server need: the server, a probe of its delays, and ways to send what no client sends. */
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type Served, serve } from '../server/served.ts';
import { PeakMemory } from './peak-memory.ts';

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const question = '"messages":[{"role":"user","content":"hi"}],"max_tokens":2';
export const postHead = (length: string) =>
  `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n${length}\r\n\r\n`;

/** Requests /livez every 10 ms, in a thread, because the main thread runs the attacks. The first connection is not counted. */
class Probe {
  readonly #worker: Worker;

  constructor(url: string) {
    this.#worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
     let longestMs = 0, stopped = false;
     parentPort.on('message', () => { stopped = true; });
     (async () => {
       await (await fetch(workerData + '/livez')).text();
       while (!stopped) {
         const startedAt = performance.now();
         await (await fetch(workerData + '/livez')).text();
         longestMs = Math.max(longestMs, performance.now() - startedAt);
         await new Promise((resolve) => setTimeout(resolve, 10));
       }
       parentPort.postMessage(longestMs);
       parentPort.close();
     })();`,
      { eval: true, workerData: url },
    );
  }

  end(): Promise<number> {
    return new Promise((resolve) => {
      this.#worker.once('message', (longestMs: number) => resolve(Math.round(longestMs)));
      this.#worker.postMessage('end');
    });
  }
}

export class Attacker implements AsyncDisposable {
  readonly #url: string;
  readonly #server: Served | null;
  readonly #memory: PeakMemory | null;
  readonly #only: string;
  readonly #longest = { livezMs: 0, server: 0, engine: 0, peakMB: 0 };
  #attacks = 0;

  private constructor(url: string, server: Served | null, only: string) {
    this.#url = url;
    this.#server = server;
    this.#memory = server === null ? null : new PeakMemory(server.child.pid ?? 0);
    this.#only = only;
  }

  /** Reads --url and --only from the command line. @param args for the server that is started without --url */
  static async open(args: string[] = []): Promise<Attacker> {
    const options = { url: { type: 'string' }, only: { type: 'string', default: '' } } as const;
    const { url, only } = parseArgs({ options }).values;
    if (url !== undefined) return new Attacker(url, null, only);
    const server = await serve(['--log-level', 'error', '--time-limit-seconds', '30', ...args]);
    return new Attacker(server.url, server, only);
  }

  /** Runs an attack and prints what happened meanwhile. @param run returns what was answered */
  async attack(name: string, run: () => Promise<string>): Promise<void> {
    if (!name.includes(this.#only)) return;
    await this.#eventLoopsMs();
    this.#memory?.reset();
    const probe = new Probe(this.#url);
    await sleep(300);
    const startedAt = performance.now();
    const answer = await run().catch((error: Error) => `failed: ${error.cause ?? error.message}`);
    const ms = Math.round(performance.now() - startedAt);
    await sleep(50);
    const livezMs = await probe.end();
    const loopsMs = await this.#eventLoopsMs();
    const peaksMB = this.#memory?.read();
    this.#attacks++;
    const longest = this.#longest;
    longest.livezMs = Math.max(longest.livezMs, livezMs);
    longest.server = Math.max(longest.server, loopsMs.server);
    longest.engine = Math.max(longest.engine, loopsMs.engine);
    longest.peakMB = Math.max(longest.peakMB, ...(peaksMB ?? []));
    process.stdout.write(`${JSON.stringify({ name, answer, ms, livezMs, loopsMs, peaksMB })}\n`);
  }

  /** @returns the status and the code of the error */
  async send(
    body: string,
    path = '/v1/chat/completions',
    signal: AbortSignal | null = null,
  ): Promise<string> {
    const response = await fetch(this.#url + path, { method: 'POST', body, signal });
    const text = await response.text();
    return `${response.status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`.trim();
  }

  honest(): Promise<string> {
    return this.send(`{${question}}`);
  }

  /** Writes bytes to a connection, and returns the bytes that arrive within `forMs`. */
  raw(bytes: string, forMs = 2_000): Promise<string> {
    return new Promise((resolve) => {
      let text = '';
      const [socket] = this.sockets(1);
      const end = () => {
        socket?.destroy();
        resolve(text);
      };
      socket?.on('close', end);
      socket?.on('data', (chunk) => {
        text += chunk.toString('latin1');
      });
      socket?.write(bytes, 'latin1');
      setTimeout(end, forMs);
    });
  }

  sockets(count: number, head = ''): Socket[] {
    const { hostname, port } = new URL(this.#url);
    return Array.from({ length: count }, () => {
      const socket = connect(Number(port), hostname).on('error', () => {});
      if (head !== '') socket.write(head);
      return socket;
    });
  }

  /** The longest blocks since the last call, measured by the server and its engine. */
  async #eventLoopsMs(): Promise<{ server: number; engine: number }> {
    const text = await (await fetch(`${this.#url}/metrics`)).text();
    const ms = (name: string) =>
      Math.round(Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? 0) * 1_000);
    return {
      server: ms('nodejs_eventloop_lag_max_seconds'),
      engine: ms('cogvlm2_engine_eventloop_lag_max_seconds'),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.stdout.write(`${JSON.stringify({ attacks: this.#attacks, longest: this.#longest })}\n`);
    await this.#server?.[Symbol.asyncDispose]();
  }
}
