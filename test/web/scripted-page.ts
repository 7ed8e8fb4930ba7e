import type { Page } from 'playwright-core';
import { beforeEach, expect } from 'vitest';
import { type Look, useBrowser } from './browser.ts';
import { ScriptedServer } from './scripted-server.ts';

/** A scripted server for each test, and a browser page that must not cause forbidden events. */
export function useScriptedPage(onServer: (server: ScriptedServer) => void) {
  const browser = useBrowser();
  let served = '';
  beforeEach(async () => {
    const server = new ScriptedServer();
    await server.open();
    onServer(server);
    served = server.url;
    return () => server.close();
  });
  return async (look: Look, test: (page: Page) => Promise<void>, url = served) =>
    expect(await browser(look, url, test)).toEqual([]);
}
