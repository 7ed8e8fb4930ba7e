/**
 * Shows whether the memory of the server grows: npx tsx bench/server-memory.ts [REQUESTS]
 *
 * Starts the built server with the demo model and sends requests, eight at a time: questions with and without images, whole and
 * streamed, invalid requests, and requests whose client disconnects. Prints the resident memory of the server and of its engine during
 * the run, then one JSON line.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const requests = Number(process.argv[2] ?? 2_000);
const every = Math.max(1, Math.floor(requests / 10));
const root = fileURLToPath(new URL('../', import.meta.url));
const images = readdirSync(`${root}examples/images`)
  .filter((name) => name.endsWith('.png'))
  .map(
    (name) => `data:image/png;base64,${readFileSync(`${root}examples/images/${name}`).toString('base64')}`,
  );

const server = spawn(
  process.execPath,
  [`${root}dist/cli/main.js`, 'serve', '--port', '0', '--log-level', 'error', '-q'],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
const [line] = (await once(createInterface(server.stdout), 'line')) as [string];
const url = /at (http:\S+?),/.exec(line)?.[1];
if (url === undefined) throw new Error(`The server did not print its address, but: ${line}`);

function bodyOf(i: number): object {
  const text = { type: 'text', text: `What is written here? (${i % 50})` };
  const image = { type: 'image_url', image_url: { url: images[i % images.length] } };
  const content = i % 3 === 0 ? [text] : [text, image];
  return {
    messages: [{ role: 'user', content }],
    max_tokens: 1 + (i % 12),
    stream: i % 2 === 0,
    ...(i % 10 === 9 && { top_p: 7 }),
  };
}

async function send(i: number): Promise<number> {
  const leaver = new AbortController();
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify(bodyOf(i)),
    signal: leaver.signal,
  });
  if (i % 20 === 4) leaver.abort();
  await response.text().catch(() => '');
  return response.status;
}

interface Slots {
  running: number;
  waiting: number;
  engine: { residentBytes: number; restarts: number };
}
const slots = async () => (await (await fetch(`${url}/slots`)).json()) as Slots;
const inMiB = (bytes: number) => Math.round(bytes / 2 ** 20);
function serverMiB(): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return inMiB(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024);
}

const statuses: Record<number, number> = {};
const samples: { requests: number; serverMiB: number; engineMiB: number }[] = [];
let sent = 0;
async function worker(): Promise<void> {
  while (sent < requests) {
    const i = sent++;
    const status = await send(i);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if ((i + 1) % every !== 0) continue;
    const sample = {
      requests: i + 1,
      serverMiB: serverMiB(),
      engineMiB: inMiB((await slots()).engine.residentBytes),
    };
    samples.push(sample);
    console.log(
      `${String(sample.requests).padStart(6)} requests  server ${sample.serverMiB} MiB  engine ${sample.engineMiB} MiB`,
    );
  }
}
await Promise.all(Array.from({ length: 8 }, worker));
const { running, waiting, engine } = await slots();
server.kill('SIGTERM');
const [exitCode] = await once(server, 'exit');
console.log(
  JSON.stringify({
    bench: 'server-memory',
    requests,
    statuses,
    samples,
    running,
    waiting,
    restarts: engine.restarts,
    exitCode,
  }),
);
