/**
 * The part of the chaos test for long runs: batches and conversions that are killed, a queue whose Redis and workers are killed, and
 * full disks. At the end every input must have exactly one answer.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasRedis, type OwnRedis, startRedis } from '../queue/redis.ts';
import { demo, pictures, program } from '../server/served.ts';
import type { Random } from './random.ts';

export interface Chaos {
  random: Random;
  /** Time of `performance.now()`. */
  deadline: number;
  count(what: string): void;
  /** Descriptions of the failures. */
  wrong: string[];
}

const INPUTS = 24;

/** Child processes. They are killed if the test ends early. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function start(args: readonly string[]): {
  child: ChildProcess;
  exited: Promise<number | null>;
  err: () => string;
} {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  running.add(child);
  child.on('exit', () => running.delete(child));
  let err = '';
  child.stderr?.on('data', (chunk) => {
    err = (err + chunk).slice(-2_000);
  });
  return {
    child,
    exited: new Promise((resolve) => child.on('exit', (code) => resolve(code))),
    err: () => err,
  };
}

/** Makes a folder of images and the arguments of a batch about them. */
function batchIn(folder: string, more: readonly string[] = []) {
  const images = path.join(folder, 'images');
  mkdirSync(images, { recursive: true });
  for (let i = 0; i < INPUTS; i++) cpSync(path.join(pictures, 'receipt.png'), path.join(images, `${i}.png`));
  const output = path.join(folder, 'answers.jsonl');
  const args = ['batch', '-q', images, '--question', 'What is the total?', '--output', output, '-n', '8'];
  return { output, args: [...args, ...more] };
}

/** Returns the problems of the answers of a finished batch. */
function problemsOf(output: string): string[] {
  const lines = readFileSync(output, 'utf8').trim().split('\n');
  const answers = lines.map((line) => JSON.parse(line) as { input: string; answer?: string });
  const inputs = new Set(answers.map(({ input }) => input));
  const other = answers.filter(({ answer }) => answer !== '21.40');
  return [
    ...(answers.length === INPUTS && inputs.size === INPUTS
      ? []
      : [`${answers.length} answers about ${inputs.size} of ${INPUTS} inputs`]),
    ...(other.length > 0 ? [`a wrong answer: ${JSON.stringify(other[0]).slice(0, 200)}`] : []),
  ];
}

/** A batch that is killed repeatedly ends with one answer for each input. */
export async function killedBatches({ random, deadline, count, wrong }: Chaos): Promise<void> {
  while (performance.now() < deadline - 60_000) {
    const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-chaos-'));
    const { output, args } = batchIn(folder, ['--threads', '1']);
    for (let kills = random.below(4); kills > 0; kills--) {
      const { child, exited } = start(args);
      await Promise.race([exited, sleep(500 + random.below(8_000))]);
      child.kill(random.chance(0.7) ? 'SIGKILL' : 'SIGINT');
      await exited;
      count('killed a batch');
    }
    const { exited, err } = start(args);
    const code = await exited;
    if (code !== 0) wrong.push(`batch: exit status ${code}, ${err()}`);
    else wrong.push(...problemsOf(output));
    count('batches');
    rmSync(folder, { recursive: true });
  }
}

/** A batch through a queue whose Redis and workers are killed. */
export async function killedQueue({ random, deadline, count, wrong }: Chaos): Promise<void> {
  if (!hasRedis) {
    count('no redis-server: the queue was not tried');
    return;
  }
  let redis: OwnRedis = await startRedis();
  const { url, port } = redis;
  const startWorker = () => start(['worker', url, '-q', '--threads', '1', '--lost-seconds', '5']);
  let worker = startWorker();
  let isOver = false;
  const killer = (async () => {
    while (!isOver) {
      await sleep(8_000 + random.below(12_000));
      if (isOver) break;
      if (random.chance(0.5)) {
        await redis[Symbol.asyncDispose]();
        count('killed Redis');
        await sleep(random.below(3_000));
        redis = await startRedis(undefined, port);
      } else {
        worker.child.kill('SIGKILL');
        await worker.exited;
        count('killed a worker');
        worker = startWorker();
      }
    }
  })();
  try {
    while (performance.now() < deadline - 90_000) {
      const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-chaos-'));
      const { output, args } = batchIn(folder, ['--queue', url]);
      let code: number | null = null;
      for (let tries = 0; tries < 20 && code !== 0; tries++) {
        const { exited, err } = start(args);
        code = await exited;
        if (code === 0) break;
        // The error names a lost queue, and the same command resumes.
        count(`batch through the queue: exit status ${code}`);
        if (!/queue|Redis|answer/i.test(err())) wrong.push(`queue: exit status ${code}, ${err()}`);
        await sleep(1_000);
      }
      if (code !== 0) wrong.push(`queue: exit status ${code} after 20 tries`);
      else wrong.push(...problemsOf(output));
      count('batches through the queue');
      rmSync(folder, { recursive: true });
    }
  } finally {
    isOver = true;
    await killer;
    worker.child.kill('SIGKILL');
    await worker.exited;
    await redis[Symbol.asyncDispose]();
  }
}

/** A conversion that is killed leaves the old file or the new one, and the next conversion removes partial files. */
export async function killedConversions({ random, deadline, count, wrong }: Chaos): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-chaos-'));
  const out = path.join(folder, 'out.gguf');
  const convert = () => start(['convert', demo, out, '--type', 'int4', '-q']);
  while (performance.now() < deadline - 30_000) {
    const { child, exited } = convert();
    await Promise.race([exited, sleep(100 + random.below(3_000))]);
    child.kill('SIGKILL');
    await exited;
    count('conversions');
    if (existsSync(out) && readFileSync(out).subarray(0, 4).toString() !== 'GGUF')
      wrong.push('an incomplete conversion');
    await sleep(random.below(3_000));
  }
  await convert().exited;
  const left = readdirSync(folder);
  if (left.length !== 1 || left[0] !== 'out.gguf') wrong.push(`left behind: ${left.join(', ')}`);
  rmSync(folder, { recursive: true });
}

/**
 * The error names a full disk, and no incomplete file has its final name. With free space, the same command resumes. The disk is a
 * small tmpfs, which only root may mount. Other users write to /dev/full.
 */
export async function fullDisks({ count, wrong }: Chaos): Promise<void> {
  if (!existsSync('/dev/full')) return;
  const toDevice = start(['convert', demo, '/dev/full', '-q']);
  const status = await toDevice.exited;
  if (status === 7 && /no space is left/.test(toDevice.err())) count('full disk named');
  else wrong.push(`full disk: exit status ${status}, ${toDevice.err()}`);

  const disk = mkdtempSync(path.join(tmpdir(), 'cogvlm2-disk-'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]).status !== 0) {
    count('a small disk could not be mounted');
    rmSync(disk, { recursive: true });
    return;
  }
  try {
    const converted = start(['convert', demo, path.join(disk, 'demo.gguf'), '-q']);
    const code = await converted.exited;
    if (code !== 7 || !/no space is left|free on that disk/.test(converted.err()))
      wrong.push(`small disk: convert has the exit status ${code}, ${converted.err()}`);
    if (existsSync(path.join(disk, 'demo.gguf'))) wrong.push('small disk: a part of a model has its name');
    for (const name of readdirSync(disk)) rmSync(path.join(disk, name), { recursive: true });

    const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-chaos-'));
    const { args } = batchIn(folder, ['--threads', '1']);
    const output = path.join(disk, 'answers.jsonl');
    const onDisk = args.map((arg) => (arg.endsWith('answers.jsonl') ? output : arg));
    // Space for some answers only.
    writeFileSync(path.join(disk, 'filler'), Buffer.alloc(246 * 1_024));
    const first = start(onDisk);
    const firstStatus = await first.exited;
    if (firstStatus !== 7 || !/no space is left/.test(first.err()))
      wrong.push(`small disk: batch has the exit status ${firstStatus}, ${first.err()}`);
    rmSync(path.join(disk, 'filler'));
    const second = start(onDisk);
    const secondStatus = await second.exited;
    if (secondStatus !== 0) wrong.push(`small disk: the resumed batch has the exit status ${secondStatus}`);
    else wrong.push(...problemsOf(output));
    count('full disk, then room again');
    rmSync(folder, { recursive: true });
  } finally {
    spawnSync('umount', [disk]);
    rmSync(disk, { recursive: true });
  }
}
