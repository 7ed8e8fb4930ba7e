/** The server with a socket: its start, early refusals, and its end. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { until } from '../cli/memory-terminal.ts';
import { listening } from './in-process.ts';
import { scriptedHost } from './scripted-host.ts';

const question = JSON.stringify({ messages: [{ role: 'user', content: 'Why?' }], max_tokens: 1_000 });
const ask = (url: string, body = question) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });

it('does not listen on public addresses without a key, unless --insecure is set', async () => {
  const { load } = scriptedHost();
  const wide = { host: '0.0.0.0' };
  await expect(listening(wide, load)).rejects.toMatchObject({
    code: 'invalid_value',
    message: expect.stringMatching(/COGVLM2_API_KEY or --api-key-file.*--insecure/),
  });
  await (await listening({ ...wide, insecure: true }, load)).close();
  await using server = await listening({ ...wide, apiKeys: ['first-key'] }, load);
  const url = server.url.replace('0.0.0.0', '127.0.0.1');
  expect((await fetch(`${url}/v1/models`)).status).toBe(401);
  expect((await fetch(`${url}/v1/models`, { headers: { 'x-api-key': 'first-key' } })).status).toBe(200);
});

it('reports that a port is in use', async () => {
  const { load } = scriptedHost();
  await using server = await listening({}, load);
  const port = Number(new URL(server.url).port);
  await expect(listening({ port }, load)).rejects.toThrow(
    `127.0.0.1:${port} cannot be listened on: another program`,
  );
});

it('stops listening if the model cannot be loaded', async () => {
  const failing = listening({}, () => Promise.reject(new Error('no weights')));
  await expect(failing).rejects.toThrow('no weights');
});

it('accepts only local host names while it listens on this machine only', async () => {
  await using server = await listening({ allowedHosts: ['box.lan'] }, scriptedHost().load);
  const statusUnder = (host: string) =>
    new Promise((resolve) => {
      request(`${server.url}/v1/models`, { headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
  expect(await statusUnder('localhost:1234')).toBe(200);
  expect(await statusUnder('box.lan')).toBe(200);
  expect(await statusUnder('evil.example')).toBe(403);
});

it('answers a request with a large body before it closes the connection', async () => {
  await using server = await listening({ maxBodyBytes: 100_000 }, scriptedHost().load);
  const response = await ask(server.url, 'x'.repeat(3_000_000));
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ error: { code: 'request_too_large' } });
});

it('stops the model for a client that closes its connection', async () => {
  const host = scriptedHost();
  await using server = await listening({}, host.load);
  const { port } = new URL(server.url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${question.length}\r\n\r\n${question}`,
  );
  await until(() => host.steps > 3);
  socket.destroy();
  await until(() => server.log().includes('"code":"cancelled"'));
  expect(host.steps).toBeLessThan(1_000);
});

it('finishes running requests before it ends, within the drain time', async () => {
  const host = scriptedHost();
  const patient = await listening({ drainSeconds: 60 }, host.load);
  const whole = ask(patient.url);
  await until(() => host.steps > 0);
  const closing = patient.close();
  expect((await whole).status).toBe(200);
  await closing;
  await expect(ask(patient.url)).rejects.toThrow();

  const hasty = await listening({ drainSeconds: 0 }, host.load);
  host.gate = new Promise(() => {});
  host.steps = 0;
  const cut = ask(hasty.url).then(
    ({ status }) => status,
    () => 'closed',
  );
  await until(() => host.steps > 0);
  host.gate = null;
  await hasty.close();
  expect([503, 'closed']).toContain(await cut);
});
