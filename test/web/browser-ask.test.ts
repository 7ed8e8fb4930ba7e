/** Questions about an image in a real browser: add it, stream the answer, stop, ask again, edit. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { answered, answers, ask, DESKTOP, type Look, noBrowser, PATIENT, PHONE, shoot } from './browser.ts';
import { useScriptedPage } from './scripted-page.ts';
import type { ScriptedServer } from './scripted-server.ts';

const RECEIPT = new URL('../../examples/images/receipt.png', import.meta.url);
const receipt = { name: 'receipt.png', mimeType: 'image/png', buffer: readFileSync(RECEIPT) };

describe.skipIf(noBrowser !== null)(`in a browser (${noBrowser ?? 'Chromium'})`, PATIENT, () => {
  let server: ScriptedServer;
  const onPage = useScriptedPage((opened) => {
    server = opened;
  });

  const ENGLISH_PHONE: Look = { language: 'en-US', size: 'phone', colours: 'light' };
  const CHINESE_DESKTOP: Look = { language: 'zh-CN', size: 'desktop', colours: 'dark' };

  it.each([DESKTOP, PHONE, ENGLISH_PHONE, CHINESE_DESKTOP])(
    'asks an example with one click: $language, $size',
    async (look) => {
      const { language, size } = look;
      const words = language === 'zh-CN' ? /合计是多少/ : /What is the total/;
      server.script.props = { is_demo: true };
      let shown: string | null = null;
      await onPage(look, async (page) => {
        await page.getByText(language === 'zh-CN' ? '当前是小型演示模型' : 'small demo model').waitFor();
        await shoot(page, `welcome-${language}-${size}`);
        const example = page.getByRole('button', { name: words });
        shown = await example.locator('img').getAttribute('src');
        await example.click();
        await answered(page);
        await shoot(page, `answer-${language}-${size}`);
        expect(await page.locator('.answer strong').textContent()).toBe('21.40');
        expect(await page.locator('html').getAttribute('lang')).toBe(language === 'zh-CN' ? 'zh-CN' : 'en');
        expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      });
      // The original image, not a copy that the page encoded.
      expect(server.asked[0]?.messages[0]?.content).toMatchObject([
        { type: 'image_url', image_url: { url: shown } },
        { type: 'text' },
      ]);
    },
  );

  it('adds a selected image, shows it, and removes it', async () => {
    await onPage(DESKTOP, async (page) => {
      await page.locator('input[type=file]').nth(0).setInputFiles(receipt);
      const sentAs = page.getByText('sent as 1344 × 1344');
      await sentAs.waitFor();
      expect(await sentAs.getAttribute('title')).toMatch(/Original: 328 × 340, 36.1 kB/);
      await shoot(page, 'picked');
      await page.getByRole('button', { name: 'Remove the image' }).click();
      expect(await sentAs.count()).toBe(0);
    });
  });

  it('offers the camera only on a phone', async () => {
    await onPage(ENGLISH_PHONE, async (page) => {
      await page.getByRole('button', { name: 'Take a photo' }).first().waitFor();
      expect(await page.locator('input[capture=environment]').count()).toBeGreaterThan(0);
    });
    await onPage(DESKTOP, async (page) => {
      await page.getByRole('button', { name: 'Choose images or PDFs' }).first().waitFor();
      expect(await page.getByRole('button', { name: 'Take a photo' }).count()).toBe(0);
    });
  });

  it('adds a pasted image, and makes a table of two dropped images', async () => {
    await onPage(DESKTOP, async (page) => {
      await page.getByRole('heading', { name: 'Ask your documents' }).waitFor();
      const give = (event: 'drop' | 'paste', names: string[]) =>
        page.evaluate(
          ([kind, base64, files]) => {
            const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
            const transfer = new DataTransfer();
            for (const name of files) transfer.items.add(new File([bytes], name, { type: 'image/png' }));
            document.body.dispatchEvent(
              kind === 'drop'
                ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
                : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }),
            );
          },
          [event, receipt.buffer.toString('base64'), names] as const,
        );
      await give('paste', ['pasted.png']);
      await page.getByRole('img', { name: 'pasted.png' }).waitFor();
      await give('drop', ['first.png', 'second.png']);
      await page.getByRole('button', { name: 'first.png', exact: true }).waitFor();
      await page.getByRole('button', { name: 'second.png', exact: true }).waitFor();
    });
  });

  it('refuses a file that is no image, and shrinks an image that is too large, with a notice', async () => {
    server.script.props = { limits: { max_body_bytes: 60_000 } };
    const large = await sharp(randomBytes(400 * 300 * 3), { raw: { width: 400, height: 300, channels: 3 } })
      .png()
      .toBuffer();
    await onPage(DESKTOP, async (page) => {
      await page.getByText('cogvlm2-llama3-chat-19b').waitFor();
      const input = page.locator('input[type=file]').nth(0);
      await input.setInputFiles({
        name: 'notes.txt',
        mimeType: 'image/png',
        buffer: Buffer.from('no image'),
      });
      await page.getByText('“notes.txt” is not an image').waitFor();
      await input.setInputFiles({ name: 'large.png', mimeType: 'image/png', buffer: large });
      await page.getByText(/Made smaller before sending/).waitFor();
      await shoot(page, 'shrunk');
      await ask(page, 'What is this?');
      await answered(page);
    });
    expect(JSON.stringify(server.asked[0]).length).toBeLessThan(60_000);
  });

  it('shows the progress of the image and of the question, with the time left', async () => {
    server.script.steps = () => [
      { progress: { stage: 'vision', done: 1, total: 63 } },
      { pauseMs: 1000 },
      { progress: { stage: 'vision', done: 21, total: 63 } },
      { wait: true },
    ];
    await onPage(ENGLISH_PHONE, async (page) => {
      await page.getByRole('button', { name: /What is the total/ }).click();
      await page.getByText('Reading the image').first().waitFor();
      await page.getByText(/about \d+ s left/).waitFor();
      expect(await page.locator('.progress progress').getAttribute('value')).toBe('21');
      await shoot(page, 'progress');
    });
  });

  it('stops: cancels by id and closes the connection, keeps the text so far, and shows it after a reload', async () => {
    server.script.steps = () => ['Half an ', 'answer', { wait: true }];
    await onPage(DESKTOP, async (page) => {
      await ask(page, 'Tell me');
      await answers(page).getByText('Half an answer').waitFor();
      await shoot(page, 'streaming');
      await page.getByRole('button', { name: 'Stop' }).click();
      await answers(page).getByText('Stopped.').waitFor();
      expect((await page.locator('.answer .markdown').textContent())?.trim()).toBe('Half an answer');
      await expect.poll(() => server.left).toBe(1);
      expect(server.cancelled).toEqual(['chatcmpl-1']);
      await page.reload();
      await answers(page).getByText('Half an answer').waitFor();
      await page.getByRole('button', { name: 'New conversation' }).click();
      await page.reload();
      await page.getByRole('heading', { name: 'Ask your documents' }).waitFor();
    });
  });

  it('keeps old versions after a retry and an edit, and continues from the shown version', async () => {
    let asked = 0;
    server.script.steps = () => [`answer ${++asked}`];
    await onPage(DESKTOP, async (page) => {
      await ask(page, 'first question');
      await answers(page).getByText('answer 1').waitFor();
      await page.getByRole('button', { name: 'Ask again' }).click();
      await answers(page).getByText('answer 2').waitFor();
      await page.getByText('2 / 2').waitFor();
      await page.getByRole('button', { name: 'Edit the question' }).click();
      await page.getByRole('textbox', { name: 'Edit the question' }).fill('better question');
      await page.keyboard.press('Enter');
      await answers(page).getByText('answer 3').waitFor();
      await page.getByRole('button', { name: 'Previous version' }).click();
      await answers(page).getByText('answer 2').waitFor();
      await ask(page, 'and then?');
      await answers(page).getByText('answer 4').waitFor();
      await shoot(page, 'versions');
    });
    expect(server.asked[2]?.messages).toEqual([{ role: 'user', content: 'better question' }]);
    expect(server.asked[3]?.messages).toEqual([
      { role: 'user', content: 'first question' },
      { role: 'assistant', content: 'answer 2' },
      { role: 'user', content: 'and then?' },
    ]);
  });

  it('sends changed sampling settings only', async () => {
    await onPage(DESKTOP, async (page) => {
      await page.getByRole('button', { name: 'Settings' }).click();
      const temperature = page.getByRole('textbox', { name: /^Temperature/ });
      expect(await temperature.getAttribute('placeholder')).toBe('0');
      await temperature.fill('0.7');
      await page.getByRole('textbox', { name: /^Top P/ }).fill('3');
      await page.getByText('From 0.01 to 1').waitFor();
      await shoot(page, 'settings');
      await page.getByRole('button', { name: 'Close' }).click();
      await ask(page, 'Hot?');
      await answered(page);
    });
    expect(server.asked[0]).toMatchObject({ temperature: 0.7, stream: true, return_progress: true });
    expect(server.asked[0]).not.toHaveProperty('top_p');
  });

  it('does not break words in tables, aligns numbers right, keeps the first number of a list, and scrolls wide tables on a phone', async () => {
    const table = `| Item | Quantity | Price each | In total | Remarks |
|---|---:|---:|---:|---|
| Marmalade | 2 | 3.20 | 6.40 | unsweetened |
| Chocolate | 10 | 12.00 | 120.00 | |`;
    server.script.steps = () => [table, '\n\n3. A list may begin at three.'];
    await onPage(ENGLISH_PHONE, async (page) => {
      await ask(page, 'What was bought?');
      await answered(page);
      await shoot(page, 'table-phone');
      const looks = await page.locator('.answer table').evaluate((element) => {
        const cells = [...element.querySelectorAll('th, td')];
        const words = cells.filter((cell) => /^\w+$/.test(cell.textContent ?? ''));
        const around = element.parentElement!;
        const range = document.createRange();
        return {
          broken: words.filter((cell) => {
            range.selectNodeContents(cell);
            return range.getClientRects().length > 1;
          }).length,
          words: words.length,
          aligned: cells.slice(0, 3).map((cell) => getComputedStyle(cell).textAlign.replace('-webkit-', '')),
          scrolls: around.scrollWidth > around.clientWidth,
          pageScrolls: document.documentElement.scrollWidth > innerWidth,
        };
      });
      expect(looks).toEqual({
        broken: 0,
        words: 8,
        aligned: ['start', 'right', 'right'],
        scrolls: true,
        pageScrolls: false,
      });
      expect(await page.locator('.answer ol').getAttribute('start')).toBe('3');
    });
  });

  it('shows a warning of the server, and marks a cut answer', async () => {
    server.script.warnings = ['The image was turned upright.'];
    server.script.finishReason = 'length';
    await onPage(DESKTOP, async (page) => {
      await ask(page, 'Long?');
      await page.getByText('The image was turned upright.').waitFor();
      await page.getByText(/reached the length limit/).waitFor();
    });
  });

  it('does not send during the composition of an input method', async () => {
    await onPage(CHINESE_DESKTOP, async (page) => {
      const field = page.locator('#question');
      await field.focus();
      const devtools = await page.context().newCDPSession(page);
      await devtools.send('Input.imeSetComposition', { selectionStart: 2, selectionEnd: 2, text: '总计' });
      await page.keyboard.press('Enter');
      await devtools.send('Input.insertText', { text: '总计多少' });
      expect(server.asked).toEqual([]);
      expect(await field.inputValue()).toContain('总计');
      await ask(page, '总计多少？');
      await answered(page);
    });
    expect(server.asked.map(({ messages }) => messages[0]?.content)).toEqual(['总计多少？']);
  });
});
