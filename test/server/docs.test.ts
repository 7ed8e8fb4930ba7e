/** docs/server.md agrees with the code. */
import { expect, it } from 'vitest';
import { API_STATUSES } from '../../src/server/api-error.ts';
import { read } from '../docs/markdown.ts';
import { testApp } from './in-process.ts';
import { scriptedHost } from './scripted-host.ts';

const page = read('docs/server.md');

it('has every error once, with its status', () => {
  const rows = [...page.matchAll(/^\| (\d{3}) \| `(\w+)` \|/gm)].map(([, status, code]) => [
    code,
    Number(status),
  ]);
  expect(rows).toHaveLength(Object.keys(API_STATUSES).length);
  expect(Object.fromEntries(rows)).toEqual(API_STATUSES);
});

it('has every metric', async () => {
  const { app, started } = await testApp({ load: scriptedHost().load });
  await started;
  const text = await (await app.request('/metrics')).text();
  const names = [...text.matchAll(/^# TYPE cogvlm2_(\w+)/gm)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) expect(page).toMatch(new RegExp(`\`${name}[{\`]`));
});
