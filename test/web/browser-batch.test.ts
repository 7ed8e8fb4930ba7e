/** Tables of many pages in a real browser: fill, stop, resume, correct and export. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { answered, DESKTOP, noBrowser, PATIENT, PHONE, shoot } from './browser.ts';
import { useScriptedPage } from './scripted-page.ts';
import type { ChatBody, ScriptedServer, Step } from './scripted-server.ts';

const image = (name: string) => readFileSync(new URL(`../../examples/receipts/${name}.png`, import.meta.url));
const PAGES = ['cafe', 'market', 'books'].map((name) => image(name).toString('base64'));
const PDF = { name: 'receipts.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7') };

describe.skipIf(noBrowser !== null)(`in a browser (${noBrowser ?? 'Chromium'})`, PATIENT, () => {
  let server: ScriptedServer;
  const onPage = useScriptedPage((opened) => {
    server = opened;
    server.script.pages = PAGES;
    server.script.props = { is_demo: true };
  });

  const cells = (page: Page) => page.locator('.batch-table tbody .cell').allInnerTexts();
  const textOf = ({ messages }: ChatBody) => JSON.stringify(messages).replace(/data:[^"]*/, '');
  /** The answers of the demo model, by question. */
  const answer = (body: ChatBody): Step[] => {
    const text = textOf(body);
    return [/shop|店名/.test(text) ? 'CORNER CAFE' : /date|日期/i.test(text) ? '2026-03-14' : '$9.50'];
  };
  const areRead = (page: Page, pages: number) =>
    expect.poll(() => page.locator('.state-done').count(), PATIENT).toBe(pages);
  const givePdf = async (page: Page) => {
    await page.locator('.server.ready').waitFor();
    await page.locator('input[type=file]').first().setInputFiles(PDF);
  };
  const addPdf = async (page: Page) => {
    await givePdf(page);
    await page.locator('.batch-table tbody tr').nth(2).waitFor();
  };

  it.each([DESKTOP, PHONE])(
    'fills a table from the pages of a PDF, and opens a cell at its page: $language, $size, $colours',
    async (look) => {
      server.script.steps = answer;
      const isEnglish = look.language === 'en-US';
      await onPage(look, async (page) => {
        await page.locator('.server.ready').waitFor();
        await addPdf(page);
        await page.getByRole('button', { name: isEnglish ? 'Receipt' : '小票', exact: true }).click();
        await page.locator('.run-bar .primary:enabled').click();
        await areRead(page, 3);
        await page.locator('.batch-table tbody tr').nth(1).locator('.cell').nth(2).click();
        await page.locator('.canvas img').waitFor();
        expect(await page.locator('.thumbnails button[aria-current]').getAttribute('aria-label')).toBe(
          '2: receipts.pdf, 2',
        );
      });
      // Nine questions: one for each field of each page, because the demo model needs separate questions.
      expect(server.asked).toHaveLength(9);
    },
  );

  it('asks for all fields at once with the schema, and shows a wrong answer as a failure that can be retried', async () => {
    server.script.props = { is_demo: false };
    let asked = 0;
    server.script.steps = () => [++asked === 2 ? 'no JSON' : '{"Shop":"A","Date":"today","Total":9.5}'];
    await onPage(DESKTOP, async (page) => {
      await addPdf(page);
      await page.getByRole('button', { name: 'Receipt', exact: true }).click();
      await page.getByRole('button', { name: 'Read 3 pages' }).click();
      await page.getByText('The model did not give a complete answer.').waitFor();
      await page.getByRole('button', { name: 'Retry 1 failed' }).click();
      await areRead(page, 3);
      expect(await cells(page)).toEqual(['A', 'today', '9.5', 'A', 'today', '9.5', 'A', 'today', '9.5']);
    });
    expect(server.asked).toHaveLength(4);
    expect(server.asked[0]).toMatchObject({
      response_format: {
        type: 'json_schema',
        json_schema: { schema: { required: ['Shop', 'Date', 'Total'] } },
      },
    });
  });

  it('stops, and resumes after a reload', async () => {
    let asked = 0;
    server.script.steps = (body) => (++asked > 4 && asked < 7 ? [{ wait: true }] : answer(body));
    await onPage(DESKTOP, async (page) => {
      await addPdf(page);
      await page.getByLabel('Question 1').fill('What is the date?');
      await page.getByLabel('Question 2').fill('What is the total?');
      await page.getByRole('button', { name: 'Read 3 pages' }).click();
      await areRead(page, 2);
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.getByRole('button', { name: 'Resume, 1 left' }).waitFor();
      // The page stores changes after a short time.
      await expect
        .poll(() =>
          page.evaluate(async () => {
            const opening = indexedDB.open('cogvlm2');
            await new Promise((resolve) => {
              opening.onsuccess = resolve;
            });
            const reading = opening.result.transaction('batches').objectStore('batches').getAll();
            await new Promise((resolve) => {
              reading.onsuccess = resolve;
            });
            opening.result.close();
            return JSON.stringify(reading.result).match(/"state":"done"/g)?.length;
          }),
        )
        .toBe(2);
      asked = 10;
      await page.reload();
      await page.getByRole('button', { name: 'Resume, 1 left' }).click();
      await areRead(page, 3);
      expect(await cells(page)).toEqual(Array(3).fill(['2026-03-14', '$9.50']).flat());
    });
  });

  it('waits for a server that is unreachable, and retries automatically', async () => {
    let asked = 0;
    server.script.steps = (body) => (++asked === 2 ? [{ pauseMs: 300 }, { breakOff: true }] : answer(body));
    await onPage(DESKTOP, async (page) => {
      await addPdf(page);
      await page.getByLabel('Question 1').fill('What is the date?');
      await page.getByRole('button', { name: 'Read 3 pages' }).click();
      await areRead(page, 3);
    });
    expect(server.asked).toHaveLength(4);
  });

  it('marks on the image where a field was read, while the field has the pointer or the focus', async () => {
    const cell = { x: 0.75, y: 0.75, width: 0.125, height: 0.125, score: 0.9 };
    server.script.evidence = {
      columns: 8,
      rows: 8,
      cells: [cell],
      tokens: [{ start: 0, end: 5, cells: [cell] }],
    };
    server.script.steps = answer;
    await onPage(DESKTOP, async (page) => {
      await addPdf(page);
      await page.getByLabel('Question 1').fill('What is the total?');
      await page.getByRole('button', { name: 'Read 3 pages' }).click();
      await areRead(page, 3);
      await page.locator('.batch-table tbody .cell').first().click();
      const mark = page.locator('.marks .mark');
      await mark.waitFor();
      expect(await mark.getAttribute('d')).toBe('M0.75 0.75h0.125v0.125h-0.125Z');
      await page.locator('#question').focus();
      await page.mouse.move(5, 5);
      await page.getByRole('textbox', { name: 'What is the total?' }).focus();
      await shoot(page, 'evidence');
      expect(await mark.count()).toBe(1);
      await page.locator('#question').focus();
      await expect.poll(() => mark.count()).toBe(0);
      await page.locator('#question').fill('And?');
      await page.locator('#question').press('Enter');
      await answered(page);
      await page.locator('.answer').hover();
      await mark.waitFor();
    });
    expect(server.asked.every(({ return_evidence: wanted }) => wanted === true)).toBe(true);
  });

  it('goes to the same field of the next and the previous page with keys, and keeps a correction', async () => {
    server.script.steps = answer;
    await onPage(DESKTOP, async (page) => {
      await addPdf(page);
      await page.getByRole('button', { name: 'Receipt', exact: true }).click();
      await page.getByRole('button', { name: 'Read 3 pages' }).click();
      await areRead(page, 3);
      await page.locator('.batch-table .cell').nth(1).click();
      const date = page.getByLabel('Date', { exact: true });
      await date.fill('2026-03-15');
      await date.press('Control+Enter');
      await page.locator('.thumbnails [aria-current="page"][aria-label="2: receipts.pdf, 2"]').waitFor();
      await expect.poll(() => date.evaluate((field) => field === document.activeElement), PATIENT).toBe(true);
      expect(await date.inputValue()).toBe('2026-03-14');
      await date.press('Control+Shift+Enter');
      await page.locator('.thumbnails [aria-current="page"][aria-label="1: receipts.pdf, 1"]').waitFor();
      expect(await date.inputValue()).toBe('2026-03-15');
    });
  });

  it('keeps corrections separate, and exports CSV, JSON lines and a table for the clipboard', async () => {
    server.script.steps = answer;
    await onPage(DESKTOP, async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await addPdf(page);
      await page.getByRole('button', { name: 'Receipt', exact: true }).click();
      await page.getByRole('button', { name: 'Read 3 pages' }).click();
      await areRead(page, 3);
      await page.getByRole('button', { name: 'receipts.pdf, 1', exact: true }).click();
      const shop = page.getByRole('textbox', { name: 'Shop' });
      await shop.fill('Corner Café');
      await shop.blur();
      await page.getByText('The model read: CORNER CAFE').waitFor();
      await shoot(page, 'correction');
      await page.getByRole('button', { name: 'Table', exact: true }).click();
      const save = async (name: string) => {
        const downloading = page.waitForEvent('download');
        await page.getByRole('button', { name, exact: true }).click();
        return readFileSync(await (await downloading).path(), 'utf8');
      };
      const csv = (await save('CSV')).split('\r\n');
      expect(csv[0]).toBe('\ufeffFile,Page,Shop,Date,Total,State');
      expect(csv[1]).toBe('receipts.pdf,1,Corner Café,2026-03-14,$9.50,done');
      expect(JSON.parse((await save('JSON Lines')).split('\n')[0] ?? '')).toMatchObject({
        values: { Shop: 'CORNER CAFE', Total: 9.5 },
        corrections: { Shop: 'Corner Café' },
      });
      await page.getByRole('button', { name: 'Copy', exact: true }).click();
      await page.getByText('Copied').waitFor();
      const copied = await page.evaluate(async () => {
        const [item] = await navigator.clipboard.read();
        return (await item?.getType('text/html'))?.text();
      });
      expect(copied).toContain('<td>Corner Café</td>');
    });
  });

  it('keeps the rendered pages of a PDF with a broken page, and reports the missing ones', async () => {
    server.script.pages = [PAGES[0] ?? '', { code: 'invalid_image', message: 'Page 2 does not load.' }];
    await onPage(DESKTOP, async (page) => {
      await givePdf(page);
      await page.getByText('The image or video cannot be read.').waitFor();
      expect(await page.locator('.batch-table tbody tr').count()).toBe(2);
    });
  });

  it('sends only a marked region, and shows a notice', async () => {
    await onPage(DESKTOP, async (page) => {
      await page
        .locator('input[type=file]')
        .first()
        .setInputFiles({
          name: 'cafe.png',
          mimeType: 'image/png',
          buffer: image('cafe'),
        });
      await page.getByRole('button', { name: 'Mark a region to ask about' }).click();
      const box = (await page.locator('.canvas').boundingBox())!;
      await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width, box.y + box.height, { steps: 4 });
      await page.mouse.up();
      await page.locator('.document-foot').getByText('Only the marked region is sent.').waitFor();
      await shoot(page, 'region');
      await page.locator('#question').fill('What is here?');
      await page.locator('#question').press('Enter');
      await page.getByText('Only this region was sent').waitFor();
      await answered(page);
    });
    const sent = JSON.stringify(server.asked[0]?.messages).match(/data:image\/png;base64,([^"]*)/)?.[1] ?? '';
    const { width, height } = await sharp(Buffer.from(sent, 'base64')).metadata();
    const whole = await sharp(image('cafe')).metadata();
    expect(Math.abs((width ?? 0) - (whole.width ?? 0) / 2)).toBeLessThan(3);
    expect(Math.abs((height ?? 0) - (whole.height ?? 0) / 2)).toBeLessThan(3);
  });
});
