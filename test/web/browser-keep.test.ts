/** Reliability in a real browser: nothing is lost, the server may be unreachable, answers may be hostile. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { answered, answers, ask, DESKTOP, noBrowser, PATIENT, PHONE, shoot } from './browser.ts';
import { useScriptedPage } from './scripted-page.ts';
import type { ScriptedServer } from './scripted-server.ts';

const receipt = {
  name: 'receipt.png',
  mimeType: 'image/png',
  buffer: readFileSync(new URL('../../examples/images/receipt.png', import.meta.url)),
};

describe.skipIf(noBrowser !== null)(`in a browser (${noBrowser ?? 'Chromium'})`, PATIENT, () => {
  let server: ScriptedServer;
  const onPage = useScriptedPage((opened) => {
    server = opened;
  });

  it('keeps question, image and a partial answer when the server fails, and when the page is closed', async () => {
    let asked = 0;
    server.script.steps = () =>
      [
        // If the connection closed at once, the browser would lose text that it has not read yet.
        ['Half of it', { pauseMs: 1000 } as const, { breakOff: true } as const],
        [{ error: { code: 'out_of_memory', message: 'There is no room for the image.' } } as const],
        ['Written so far', { wait: true } as const],
        ['All of it'],
      ][Math.min(asked++, 3)]!;
    await onPage(DESKTOP, async (page) => {
      await page.locator('input[type=file]').nth(0).setInputFiles(receipt);
      await page.getByText('sent as 1344 × 1344').waitFor();
      await page.locator('#question').fill('What is it?');
      await page.reload();
      expect(await page.locator('#question').inputValue()).toBe('What is it?');
      await page.getByText('sent as 1344 × 1344').waitFor();
      await page.locator('.send:enabled').click();
      await answers(page).getByText('The connection was lost').waitFor();
      await answers(page).getByText('Half of it').waitFor();
      await shoot(page, 'broken-off');
      await page.getByRole('button', { name: 'Try again' }).click();
      await answers(page).getByText('The server does not have enough memory for this.').waitFor();
      await answers(page).getByText('Details from the server').click();
      await answers(page).getByText('There is no room for the image.').waitFor();
      await page.getByText('2 / 2').waitFor();
      await page.getByRole('button', { name: 'Try again' }).click();
      await answers(page).getByText('Written so far').waitFor();
      await page.reload();
      await answers(page).getByText('Written so far').waitFor();
      // The state depends on whether the browser notifies the page before it closes it.
      await answers(page)
        .getByText(/Interrupted when the page was closed|The connection was lost/)
        .waitFor();
      await page.getByRole('button', { name: 'Ask again' }).click();
      await answers(page).getByText('All of it').waitFor();
      await page.getByText('3 / 3').waitFor();
      expect(await page.locator('.canvas img').count()).toBe(1);
    });
    expect(server.asked.map(({ messages }) => JSON.stringify(messages).includes('image_url'))).toEqual(
      Array(4).fill(true),
    );
  });

  it.each([
    [DESKTOP, 'The model is loading', 'The server cannot be reached'],
    [PHONE, '模型正在加载', '无法连接服务器'],
  ])(
    'shows that the server loads or is unreachable, and recovers automatically',
    async (look, loading, gone) => {
      server.script.health = { status: 503, body: { status: 'loading', progress: 0.42 } };
      await onPage(look, async (page) => {
        const banner = page.locator('.banner');
        await banner.getByText(loading).waitFor();
        await banner.getByText('42%').waitFor();
        await page.locator('#question').fill('A');
        expect(await page.locator('.send').isDisabled()).toBe(true);
        await shoot(page, `loading-${look.size}`);
        server.script.health = { status: 200, body: { status: 'ok' } };
        await page.locator('.send:enabled').waitFor();
        expect(await banner.count()).toBe(0);
        await server.close();
        await page.evaluate(() => dispatchEvent(new Event('online')));
        await banner.getByText(gone).waitFor();
        await shoot(page, `gone-${look.size}`);
        await server.open();
        await page.locator('.send:enabled').waitFor();
        expect(await page.locator('#question').inputValue()).toBe('A');
      });
    },
  );

  it('shows conversations of version 0.3', async () => {
    await onPage(DESKTOP, async (page) => {
      await page.goto(`${server.url}health`);
      await page.evaluate(async (base64) => {
        const done = <T>(request: IDBRequest<T>) =>
          new Promise<T>((resolve, reject) => {
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
          });
        await done(indexedDB.deleteDatabase('cogvlm2'));
        const opening = indexedDB.open('cogvlm2', 2);
        opening.onupgradeneeded = () => {
          for (const store of ['conversations', 'pictures', 'batches'])
            opening.result.createObjectStore(store);
        };
        const database = await done(opening);
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        const stores = database.transaction(['conversations', 'pictures', 'batches'], 'readwrite');
        const image = { name: 'receipt.png', width: 320, height: 320, original: null, thumbnail: '' };
        const blob = new Blob([bytes], { type: 'image/png' });
        for (const id of ['p', 'q']) stores.objectStore('pictures').put({ ...image, id, blob }, id);
        const answer = { state: 'done', text: 'Seven', finishReason: 'stop', model: null, usage: null };
        const turn = { id: 't', parentId: null, createdAt: 1, question: 'How many?', pictureId: 'p' };
        const turns = [{ ...turn, answer: { ...answer, speed: null, failure: null, warning: null } }];
        const times = { createdAt: 1, updatedAt: 1 };
        stores.objectStore('conversations').put({ ...times, id: 'c', turns, chosen: {} }, 'c');
        const row = {
          id: 'r',
          file: 'page.png',
          page: null,
          pageCount: null,
          pictureId: 'q',
          state: 'waiting',
        };
        const rows = [{ ...row, failure: null, cells: {}, conversationId: null }];
        const plan = { kind: 'questions', columns: [], schema: null, asks: 'separately' };
        stores.objectStore('batches').put({ ...times, id: 'b', name: 'Pages', plan, rows }, 'b');
        await new Promise((resolve) => {
          stores.oncomplete = resolve;
        });
        database.close();
      }, receipt.buffer.toString('base64'));
      await page.goto(server.url);
      await page.locator('.entry-open').getByText('receipt.png').click();
      await answers(page).getByText('Seven').waitFor();
      await page.locator('.canvas img').waitFor();
      await page.locator('.entry-open').getByText('Pages').click();
      await page.locator('.row-open').click();
      await page.locator('.canvas img').waitFor();
      await page.reload();
      await page.locator('.canvas img').waitFor();
    });
  });

  it('asks for a key if the server requires one', async () => {
    server.script.apiKey = 'right';
    await onPage(DESKTOP, async (page) => {
      const key = page.locator('.banner input');
      await key.fill('wrong');
      await page.getByRole('button', { name: 'Use this key' }).click();
      await shoot(page, 'locked');
      await key.fill('right');
      await page.getByRole('button', { name: 'Use this key' }).click();
      await page.getByText('cogvlm2-llama3-chat-19b').waitFor();
      await ask(page, 'Open?');
      await answered(page);
    });
  });

  it('finds, deletes, restores, exports and imports conversations, and refuses a broken file', async () => {
    server.script.steps = ({ messages }) => [
      `About ${JSON.stringify(messages.at(-1)?.content).length}: 总计`,
    ];
    await onPage(DESKTOP, async (page) => {
      const entries = page.locator('.entry');
      await page.locator('input[type=file]').nth(0).setInputFiles(receipt);
      await page.getByText('sent as').waitFor();
      await ask(page, 'First <b>bold</b> question');
      await answered(page);
      await page.getByRole('button', { name: 'New conversation' }).click();
      await ask(page, 'Second question');
      await answered(page);
      const search = page.getByRole('searchbox');
      await search.fill('bold');
      expect(await entries.locator('.entry-title').allInnerTexts()).toEqual(['receipt.png']);
      expect(await entries.locator('.entry-subtitle').allInnerTexts()).toEqual([
        'First <b>bold</b> question',
      ]);
      await search.fill('');
      await entries.nth(0).hover();
      await page.getByRole('button', { name: 'Delete “Second question”' }).click();
      await page.getByText('Conversation deleted.').waitFor();
      expect(await entries.count()).toBe(1);
      await page.getByRole('button', { name: 'Undo' }).click();
      expect(await entries.count()).toBe(2);

      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByText(/ used of /).waitFor();
      const downloading = page.waitForEvent('download');
      await page.getByRole('button', { name: 'Export' }).click();
      const exported = readFileSync(await (await downloading).path());
      const file = page.locator('dialog input[type=file]');
      const give = (buffer: Buffer) =>
        file.setInputFiles({ name: 'export.json', mimeType: 'application/json', buffer });
      await give(exported);
      await page.getByText('Imported 0 conversations; 2 already here.').waitFor();
      await page.getByRole('button', { name: 'Delete all' }).click();
      await page.getByRole('button', { name: 'Really delete all 2?' }).click();
      expect(await entries.count()).toBe(0);
      await give(exported.subarray(0, exported.length / 2));
      await page.getByText('the file is not JSON, or is cut short').waitFor();
      await give(Buffer.from(exported.toString().replace('"question":', '"frage":')));
      await page.getByText(/the file is damaged at conversations\[\d\].turns\[0\].question/).waitFor();
      await shoot(page, 'import-refused');
      expect(await entries.count()).toBe(0);
      await give(exported);
      await page.getByText('Imported 2 conversations.').waitFor();
      await page.reload();
      await page.getByRole('button', { name: /First <b>bold<.b> question/ }).click();
      await page.locator('.canvas img').waitFor();
      await answers(page).getByText('总计').waitFor();
    });
  });

  it('shows code in an answer as text, and does not run or load it', async () => {
    const attacks = [
      '<script>window.harmed = 1</script>',
      '<img src=x onerror="window.harmed = 1">',
      '<svg onload="window.harmed = 1"><a href="javascript:window.harmed=1">x</a></svg>',
      '[click](javascript:window.harmed=1) [data](data:text/html,<script>harmed=1</script>)',
      '![pixel](https://elsewhere.test/pixel.png)',
      '<iframe src="https://elsewhere.test"></iframe><style>body{display:none}</style>',
      '<form action="https://elsewhere.test"><input name=q></form>',
      '<p style="position:fixed" onclick="window.harmed=1" id="page">p</p>',
      '[fine](https://example.test/page)',
      '| a | b |\n|---|---|\n| <b onmouseover="harmed=1">1</b> | `<i>` |',
      '```html\n<script>window.harmed = 1</script>\n```',
    ];
    server.script.steps = () => attacks.flatMap((attack) => [...`${attack}\n\n`.match(/.{1,9}/gs)!]);
    await onPage(DESKTOP, async (page) => {
      await ask(page, '<img src=x onerror="window.harmed = 1">');
      await answered(page);
      await shoot(page, 'attacks');
      const answer = answers(page).locator('.markdown');
      const text = await answer.textContent();
      for (const written of [
        '<script>window.harmed = 1</script>',
        '<iframe src=',
        '<form action=',
        '<style>',
      ]) {
        expect(text).toContain(written);
      }
      expect(
        await answer.locator('script, img, svg, iframe, style, form, input, [style], [id]').count(),
      ).toBe(0);
      const links = answer.locator('a[href]');
      expect(await links.evaluateAll((all) => all.map((link) => link.getAttribute('href')))).toEqual([
        'https://example.test/page',
      ]);
      expect(await links.first().getAttribute('rel')).toContain('noopener');
      expect(await page.evaluate(() => 'harmed' in window)).toBe(false);
      const copied = page.getByRole('button', { name: 'Copy code' });
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await copied.click();
      await page.getByText('Copied').waitFor();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
        '<script>window.harmed = 1</script>',
      );
    });
  });

  it('can be used with the keyboard only', async () => {
    server.script.steps = () => ['A long ', 'answer', { wait: true }];
    await onPage(DESKTOP, async (page) => {
      const focused = () =>
        page.evaluate(() => {
          const element = document.activeElement;
          return element?.getAttribute('aria-label') ?? element?.textContent?.trim().slice(0, 40) ?? '';
        });
      await page.locator('.examples button:enabled').first().waitFor();
      await expect.poll(focused).toBe('Your question');
      await page.locator('.skip').focus();
      const order: string[] = [];
      for (let i = 0; i < 11; i++) {
        await page.keyboard.press('Tab');
        order.push(await focused());
      }
      expect(order).toEqual([
        'New conversation',
        'New table',
        'Search conversations',
        'Hide conversations',
        'Settings',
        'Choose images or PDFs',
        'Choose a folder',
        'Ask the example image: What is the total?',
        'Ask the example image: What is the date?',
        '3 receipts as a table',
        'Your question',
      ]);
      await page.keyboard.press('Shift+Tab');
      const outline = page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
      expect(await outline).toBe('solid');
      await page.keyboard.press('/');
      await page.keyboard.type('Keys?');
      await page.keyboard.press('Shift+Enter');
      expect(await page.locator('#question').inputValue()).toBe('Keys?\n');
      await page.keyboard.press('Enter');
      await answers(page).getByText('A long answer').waitFor();
      await page.keyboard.press('Escape');
      await answers(page).getByText('Stopped.').waitFor();
      expect(await page.locator('.off-screen[role=status]').textContent()).toBe('Stopped.');
      await page.keyboard.press('ArrowUp');
      await page.getByRole('textbox', { name: 'Edit the question' }).waitFor();
      await expect.poll(focused).toBe('Edit the question');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Control+k');
      await expect.poll(focused).toBe('Search conversations');
      const search = page.getByRole('searchbox', { name: 'Search conversations' });
      await page.keyboard.type('one');
      await page.keyboard.press('Control+k');
      await expect.poll(() => search.evaluate((field: HTMLInputElement) => field.selectionEnd)).toBe(3);
      expect(await search.evaluate((field: HTMLInputElement) => field.selectionStart)).toBe(0);
      await search.fill('');
      await page.keyboard.press('Control+Shift+O');
      await page.getByRole('heading', { name: 'Ask your documents' }).waitFor();
      await page.getByRole('button', { name: 'Settings' }).press('Enter');
      await page.getByRole('dialog').waitFor();
      await page.keyboard.press('Escape');
      await expect.poll(focused).toBe('Settings');
    });
  });

  it('applies and keeps the selected language and colours', async () => {
    await onPage(PHONE, async (page) => {
      const root = page.locator('html');
      expect(await root.getAttribute('data-theme')).toBe('dark');
      await page.getByRole('button', { name: '设置' }).click();
      await page.getByRole('radio', { name: 'English' }).check();
      await page.getByRole('radio', { name: 'Light' }).check();
      await shoot(page, 'settings-phone');
      await page.getByRole('button', { name: 'Close' }).click();
      await page.reload();
      await page.getByRole('heading', { name: 'Ask your documents' }).waitFor();
      expect(await root.getAttribute('data-theme')).toBe('light');
      expect(await root.getAttribute('lang')).toBe('en');
      await ask(page, 'A conversation');
      await answered(page);
      await page.getByRole('button', { name: 'Show conversations' }).click();
      await shoot(page, 'sidebar-phone');
      await page.getByRole('button', { name: 'New conversation' }).click();
      await page.getByRole('heading', { name: 'Ask your documents' }).waitFor();
      const unnamed = page.locator('button:not([aria-label])').filter({ hasNotText: /\S/ });
      expect(await unnamed.count()).toBe(0);
    });
  });

  it('works over plain http from another machine, where browsers disable some functions', async () => {
    const test = async (page: Page) => {
      expect(await page.evaluate(() => isSecureContext)).toBe(false);
      await page.getByRole('button', { name: /What is the total/ }).click();
      await answered(page);
      const copy = page.getByRole('button', { name: 'Copy', exact: true });
      await copy.click();
      await page.getByText('Copied').waitFor();
      await page.evaluate(() => {
        document.execCommand = () => false;
      });
      await copy.click();
      await page.getByText('The browser did not let the page copy.').waitFor();
    };
    await onPage(DESKTOP, test, server.url.replace('127.0.0.1', 'page.test'));
  });

  it('shows the questions of one tab in the other tab', async () => {
    await onPage(DESKTOP, async (page) => {
      const other = await page.context().newPage();
      await other.goto(server.url);
      await other.getByText('Your conversations will be kept here').waitFor();
      await page.bringToFront();
      await page.getByRole('button', { name: /What is the total/ }).click();
      await answered(page);
      await other.bringToFront();
      await other
        .getByRole('button', { name: /cafe.webp/ })
        .first()
        .click();
      await other.locator('.canvas img').waitFor();
      await answers(other).getByText('21.40').waitFor();
      await other.locator('.entry').hover();
      await other.getByRole('button', { name: 'Delete “cafe.webp”' }).click();
      await other.close();
      await expect.poll(() => page.locator('.entry').count(), PATIENT).toBe(0);
    });
  });

  it('shows stored conversations without a server', async () => {
    await onPage(DESKTOP, async (page) => {
      await ask(page, 'Kept?');
      await answered(page);
      await page.getByRole('button', { name: 'New conversation' }).click();
      await server.close();
      await page.getByRole('button', { name: 'Kept?', exact: true }).click();
      await answers(page).getByText('21.40').waitFor();
      await ask(page, 'And now?');
      await expect
        .poll(async () => (await page.locator('.failure, .banner.gone').count()) > 0, PATIENT)
        .toBe(true);
    });
  });
});
