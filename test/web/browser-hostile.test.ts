/** Hostile answers and damaged stored conversations in a real browser. */
import fc from 'fast-check';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { answers, ask, DESKTOP, noBrowser, PATIENT } from './browser.ts';
import { useScriptedPage } from './scripted-page.ts';
import type { ScriptedServer } from './scripted-server.ts';

/** Writes a value into the page's database, like another version of the page or a damaged disk. */
const store = (page: Page, key: string, value: unknown) =>
  page.evaluate(
    ([key, value]) =>
      new Promise<void>((resolve, reject) => {
        const opening = indexedDB.open('cogvlm2');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const transaction = opening.result.transaction('conversations', 'readwrite');
          transaction.objectStore('conversations').put(value, key as string);
          transaction.oncomplete = () => {
            opening.result.close();
            resolve();
          };
        };
      }),
    [key, value] as const,
  );

describe.skipIf(noBrowser !== null)(`in a browser (${noBrowser ?? 'Chromium'})`, PATIENT, () => {
  let server: ScriptedServer;
  const onPage = useScriptedPage((opened) => {
    server = opened;
  });

  it.each([
    ['quotes', '> '.repeat(3000)],
    ['lists', '- '.repeat(3000)],
    ['emphasis', '*a '.repeat(3000)],
  ])('shows an answer of 3,000 nested %s as text, also after a reload', async (_, opening) => {
    const text = `${opening}the end`;
    server.script.steps = () => [text.slice(0, text.length >> 1), text.slice(text.length >> 1)];
    await onPage(DESKTOP, async (page) => {
      await ask(page, 'What is it?');
      await answers(page).getByText('the end').waitFor();
      await page.getByRole('button', { name: 'Ask again' }).waitFor();
      await page.reload();
      await answers(page).getByText('the end').waitFor();
      expect(await page.locator('#question').count()).toBe(1);
    });
  });

  it('starts with any stored values: invalid conversations are not shown, and are kept', async () => {
    await onPage(DESKTOP, async (page) => {
      await ask(page, 'A question to keep');
      await answers(page).getByText('21.40').waitFor();
      await page.getByRole('button', { name: 'Ask again' }).waitFor();
      const answer = { state: 'done', text: 'x', finishReason: 'stop', model: null, usage: null };
      const rest = { speed: null, failure: null, warning: null };
      const turn = (id: string, parentId: string | null) => ({
        ...{ id, parentId, createdAt: 1, question: 'q', imageId: null },
        answer: { ...answer, ...rest },
      });
      const conversation = { id: 'c', createdAt: 1, updatedAt: 9e12, turns: [turn('t', null)], chosen: {} };
      for (const [key, value] of [
        ['null', null],
        ['text', 'x'],
        ['empty', {}],
        ['no turns', { ...conversation, id: 'no turns', turns: undefined }],
        [
          'no answer',
          { ...conversation, id: 'no answer', turns: [{ ...turn('t', null), answer: undefined }] },
        ],
        ['a circle', { ...conversation, id: 'a circle', turns: [turn('a', 'b'), turn('b', 'a')] }],
        ['a number', { ...conversation, id: 'a number', turns: [{ ...turn('t', null), question: 5 }] }],
        ['sound', { ...conversation, id: 'sound', turns: [{ ...turn('t', null), question: 'A sound one' }] }],
      ] as const) {
        await store(page, key, value);
      }
      await page.reload();
      await answers(page).getByText('21.40').waitFor();
      await page.getByText('A sound one').first().waitFor();
      const keys = await page.evaluate(
        () =>
          new Promise<number>((resolve) => {
            indexedDB.open('cogvlm2').onsuccess = ({ target }) => {
              const database = (target as IDBOpenDBRequest).result;
              const count = database.transaction('conversations').objectStore('conversations').count();
              count.onsuccess = () => resolve(count.result);
            };
          }),
      );
      expect(keys).toBe(9);
    });
  });

  it('shows no answer in a way that runs code, loads files or navigates', async () => {
    const piece = fc.constantFrom(
      ...['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<svg onload=alert(1)>', '<a href="'],
      ...[
        'javascript:alert(1)',
        'data:text/html,<script>alert(1)</script>',
        '[x](',
        ')',
        '![](',
        '"',
        "'",
        '>',
      ],
      ...[
        '$\\href{javascript:alert(1)}{x}$',
        '$$\\htmlStyle{color:red}{x}$$',
        '`',
        '```\n',
        '\n',
        '\n\n',
        '| a |\n|-|\n',
      ],
      ...[
        '&#106;avascript:',
        '<iframe src="http://127.0.0.1:9/">',
        '<style>*{}</style>',
        '<b',
        ' onclick=alert(1) ',
      ],
      ...['https://example.com/', '<http://127.0.0.1:9/x>', 'word', '**', '~~', '> '],
    );
    const texts = fc.sample(fc.array(piece, { minLength: 1, maxLength: 14 }), { numRuns: 60, seed: 7 });
    server.script.steps = () => [texts.map((signs) => signs.join('')).join('\n\n---\n\n')];
    await onPage(DESKTOP, async (page) => {
      await ask(page, 'What is it?');
      await page.getByRole('button', { name: 'Ask again' }).waitFor();
      const found = await page.locator('.answer .markdown').evaluate((answer) => ({
        elements: [...new Set([...answer.querySelectorAll('*')].map(({ localName }) => localName))].filter(
          (name) =>
            ['script', 'img', 'svg', 'iframe', 'style', 'object', 'embed', 'form', 'input', 'video'].includes(
              name,
            ),
        ),
        handlers: [...answer.querySelectorAll('*')].flatMap(({ attributes }) =>
          [...attributes].map(({ name }) => name).filter((name) => name.startsWith('on')),
        ),
        links: [...answer.querySelectorAll('a')].map(({ protocol }) => protocol),
      }));
      expect(found.elements).toEqual([]);
      expect(found.handlers).toEqual([]);
      for (const protocol of found.links) expect(['http:', 'https:', 'mailto:', ':']).toContain(protocol);
    });
  });
});
