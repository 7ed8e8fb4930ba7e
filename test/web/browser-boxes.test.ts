/** Boxes of a grounding model in a real browser: on the image, highlighted from the answer, on regions, and after rotations. */
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import {
  accessibilityFindings,
  answered,
  ask,
  DESKTOP,
  noBrowser,
  PATIENT,
  PHONE,
  shoot,
} from './browser.ts';
import { useScriptedPage } from './scripted-page.ts';
import type { ScriptedServer } from './scripted-server.ts';

/** White, with a red square at 10 to 40% of the width and 20 to 80% of the height. */
const drawing = {
  name: 'drawing.png',
  mimeType: 'image/png',
  buffer: await sharp({ create: { width: 400, height: 200, channels: 3, background: 'white' } })
    .composite([
      {
        input: { create: { width: 120, height: 120, channels: 3, background: 'red' } },
        left: 40,
        top: 40,
      },
    ])
    .png()
    .toBuffer(),
};

/** A box as shares of the shown image. */
async function shares(page: Page, index: number): Promise<number[]> {
  const box = await page.locator('.boxes .box').nth(index).boundingBox();
  const canvas = await page.locator('.canvas').boundingBox();
  if (!box || !canvas) throw new Error('There is no box.');
  return [
    (box.x - canvas.x) / canvas.width,
    (box.y - canvas.y) / canvas.height,
    box.width / canvas.width,
    box.height / canvas.height,
  ];
}

const near = (...values: number[]) => values.map((value) => expect.closeTo(value, 2));

describe.skipIf(noBrowser !== null)(`boxes in a browser (${noBrowser ?? 'Chromium'})`, PATIENT, () => {
  let server: ScriptedServer;
  const onPage = useScriptedPage((opened) => {
    server = opened;
  });
  const give = (page: Page) => page.locator('input[type=file]').first().setInputFiles(drawing);

  it('are drawn with their phrases while the answer comes, and highlighted from it', async () => {
    server.script.steps = () => [
      'There is **a red square** [[100,',
      '200,400,800]], and two corners ',
      '[[0,0,50,100;950,900,1000,1000]].',
    ];
    await onPage(DESKTOP, async (page) => {
      await give(page);
      await ask(page, 'Where is the square?');
      await answered(page);
      expect(await page.locator('.box-label').allInnerTexts()).toEqual([
        '1 There is a red square',
        '2 and two corners',
        '2 and two corners',
      ]);
      expect(await shares(page, 0)).toEqual(near(0.1, 0.2, 0.3, 0.6));
      expect(await shares(page, 2)).toEqual(near(0.95, 0.9, 0.05, 0.1));
      expect(await page.locator('.answer .markdown').textContent()).not.toContain('[[');
      expect(await page.locator('.box.marked').count()).toBe(0);

      // The beginning of the phrase. The fonts of the machine decide where its lines begin.
      const { left, top } = await page
        .locator('.boxed')
        .nth(1)
        .evaluate((phrase) => phrase.getClientRects()[0]!);
      await page.mouse.move(left + 6, top + 6);
      await expect.poll(() => page.locator('.box.marked').count(), PATIENT).toBe(2);
      await shoot(page, 'boxes-hover');
      // From the image to the answer.
      await page.locator('.box-label').first().hover();
      expect(await page.locator('.boxed.marked').textContent()).toContain('a red square');
      // From the keyboard.
      await page.getByRole('button', { name: 'Box 2 on the image: and two corners' }).focus();
      expect(await page.locator('.box.marked').count()).toBe(2);
      await page.locator('#question').focus();
      await page.mouse.move(0, 0);
      expect(await page.locator('.box.marked').count()).toBe(0);
      expect(await accessibilityFindings(page)).toEqual([]);

      await page.getByRole('button', { name: 'Show the boxes of the answer' }).click();
      expect(await page.locator('.box').count()).toBe(0);
      await page.getByRole('button', { name: 'Show the boxes of the answer' }).click();
      expect(await page.locator('.box').count()).toBe(3);
      await page.reload();
      await page.locator('.box').nth(2).waitFor();
      expect(await shares(page, 0)).toEqual(near(0.1, 0.2, 0.3, 0.6));
    });
  });

  it('keep their positions when the image is rotated; after four rotations the image is the same', async () => {
    server.script.steps = () => ['A square [[100,200,400,800]]'];
    await onPage(DESKTOP, async (page) => {
      await give(page);
      await ask(page, 'Where?');
      await answered(page);
      const rotate = page.getByRole('button', { name: 'Rotate by 90°' });
      const isRotated = (width: number) =>
        expect
          .poll(
            () => page.locator('.canvas img').evaluate((image) => (image as HTMLImageElement).naturalWidth),
            PATIENT,
          )
          .toBe(width);
      const first = await page.locator('.canvas img').getAttribute('src');
      await rotate.click();
      await isRotated(200);
      expect(await shares(page, 0)).toEqual(near(0.2, 0.1, 0.6, 0.3));
      await shoot(page, 'boxes-rotated');
      await rotate.click();
      await isRotated(400);
      expect(await shares(page, 0)).toEqual(near(0.6, 0.2, 0.3, 0.6));
      // A question about the rotated image. The boxes of its answer refer to the rotated image.
      await ask(page, 'And now?');
      await answered(page);
      expect(await shares(page, 0)).toEqual(near(0.1, 0.2, 0.3, 0.6));
      await page.locator('.answer').first().hover();
      expect(await shares(page, 0)).toEqual(near(0.6, 0.2, 0.3, 0.6));
      await rotate.click();
      await isRotated(200);
      await rotate.click();
      await isRotated(400);
      expect(await page.locator('.canvas img').getAttribute('src')).toBe(first);
    });
  });

  it('of a marked region are drawn in the region', async () => {
    server.script.steps = () => ['A square [[0,500,1000,1000]]'];
    await onPage(DESKTOP, async (page) => {
      await give(page);
      await page.getByRole('button', { name: 'Mark a region to ask about' }).click();
      const canvas = (await page.locator('.canvas').boundingBox())!;
      await page.mouse.move(canvas.x + canvas.width * 0.5, canvas.y + canvas.height * 0.5);
      await page.mouse.down();
      await page.mouse.move(canvas.x + canvas.width, canvas.y + canvas.height, { steps: 4 });
      await page.mouse.up();
      await ask(page, 'Where?');
      await answered(page);
      expect(await shares(page, 0)).toEqual(near(0.5, 0.75, 0.5, 0.25));
    });
  });

  it('are highlighted by a tap on a phone, and are plain text without an image', async () => {
    server.script.steps = () => ['一个方块[[100,200,400,800]]。'];
    await onPage(PHONE, async (page) => {
      await ask(page, '哪里？');
      await answered(page);
      expect(await page.locator('.answer .markdown').textContent()).toContain('[[100,200,400,800]]');
      await give(page);
      await ask(page, '方块在哪里？');
      await expect.poll(() => page.locator('.box').count(), PATIENT).toBe(1);
      await page.getByRole('button', { name: '图片上的方框 1：一个方块' }).tap();
      await page.locator('.box.marked').waitFor();
      await shoot(page, 'boxes-phone');
      expect(await accessibilityFindings(page)).toEqual([]);
    });
  });
});
