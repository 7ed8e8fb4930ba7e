/** The `model` of a request selects one of the server's adapters. */
import { describe, expect, test } from 'vitest';
import { testApp } from './in-process.ts';
import { scriptedHost } from './scripted-host.ts';

async function start() {
  const host = scriptedHost();
  const names = ['scripted', 'alias', 'receipts'];
  const server = await testApp({ load: host.load, rules: { names, adapters: ['receipts'] } });
  await server.started;
  return { host, server };
}

describe('adapters', () => {
  test('are selected by name; all other names of the model use none', async () => {
    const { host, server } = await start();
    const models: string[] = [];
    for (const model of ['receipts', 'scripted', 'alias', 'default', undefined]) {
      const response = await server.chat({ model, max_tokens: 1 });
      models.push(((await response.json()) as { model: string }).model);
    }
    expect(host.adapters).toEqual(['receipts', undefined, undefined, undefined, undefined]);
    expect(models).toEqual(['receipts', 'scripted', 'scripted', 'scripted', 'scripted']);
    const unknown = await server.chat({ model: 'cards', max_tokens: 1 });
    expect(unknown.status).toBe(404);
    expect(await unknown.text()).toContain('Served: scripted, alias, receipts.');
  });

  test('change the fingerprint of an answer', async () => {
    const { server } = await start();
    const fingerprintOf = async (model: string) =>
      ((await (await server.chat({ model, max_tokens: 1 })).json()) as { system_fingerprint: string })
        .system_fingerprint;
    expect(await fingerprintOf('receipts')).toBe('scripted-f32-cpu-abc');
    expect(await fingerprintOf('alias')).toBe('scripted-f32-cpu');
  });

  test('are listed with their parent, without their folder', async () => {
    const { server } = await start();
    const text = await (await server.app.request('/v1/models')).text();
    const { data } = JSON.parse(text) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(['scripted', 'alias', 'receipts']);
    expect(data[2]).toMatchObject({
      parent: 'scripted',
      adapters: [{ scale: 0.5, size: 1000, fingerprint: 'abc' }],
    });
    expect(data[0]).not.toHaveProperty('parent');
    expect(text).not.toContain('/secret');
    expect(await (await server.app.request('/v1/models/receipts')).json()).toMatchObject({ id: 'receipts' });
    expect(await (await server.app.request('/props')).json()).toMatchObject({
      aliases: ['alias'],
      adapters: ['receipts'],
    });
  });
});
