/** A Redis for a test, on loopback and in memory only. */
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
export const withoutRedis = 'skipped without redis-server: apt-get install redis-server';

export interface OwnRedis extends AsyncDisposable {
  url: string;
  port: number;
}

export async function startRedis(password?: string, again?: number): Promise<OwnRedis> {
  const port = again ?? (await freePort());
  const words = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', [...words, ...(password ? ['--requirepass', password] : [])]);
  const gone = new Promise((resolve) => server.on('close', resolve));
  const url = `redis://${password ? `:${password}@` : ''}127.0.0.1:${port}`;
  const redis = new Redis(url, { retryStrategy: () => 50 });
  redis.on('error', () => {});
  while ((await redis.ping().catch(() => '')) !== 'PONG') await sleep(20);
  redis.disconnect();
  return {
    url,
    port,
    async [Symbol.asyncDispose]() {
      server.kill('SIGKILL');
      await gone;
    },
  };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    }),
  );
}
