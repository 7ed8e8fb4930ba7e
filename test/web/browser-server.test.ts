/** The page with the real server and the demo model. Other tests use a scripted server. */
import { describe, expect, it } from 'vitest';
import { writeTinyVideoModel } from '../model/tiny-model.ts';
import { isBuilt, serve } from '../server/served.ts';
import { Clips, hasFfmpeg } from '../video/clips.ts';
import { answered, answers, ask, DESKTOP, noBrowser, PATIENT, useBrowser } from './browser.ts';

const missing = noBrowser ?? (isBuilt ? null : 'there is no dist/ or no models/demo');

describe.skipIf(missing !== null)(`the page on the built server (${missing ?? 'Chromium'})`, PATIENT, () => {
  const browser = useBrowser();

  it('asks, counts the tokens of the image, stops, and obeys the content security policy', async () => {
    await using server = await serve();
    const props = (await (await fetch(`${server.url}/props`)).json()) as {
      image: { size: number; tokens: number };
    };
    const { size, tokens } = props.image;
    const wrongs = await browser(DESKTOP, `${server.url}/`, async (page) => {
      await page.getByText('This is the small demo model.').waitFor();
      await page.getByRole('button', { name: /What is the total/ }).click();
      await answered(page);
      expect(await answers(page).locator('.markdown').textContent()).toContain('9.50');
      expect(await page.getByText(/^sent as/).textContent()).toContain(`sent as ${size} × ${size}`);
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('checkbox', { name: 'Show tokens, speed and context use' }).check();
      await page.getByRole('button', { name: 'Close' }).click();
      expect(await page.locator('.meter').getAttribute('title')).toMatch(
        new RegExp(`: ${tokens} tokens of the image, \\d+ tokens of text`),
      );

      // The schema keeps the answer from ending before it is stopped.
      const schema = { type: 'string', minLength: 10_000 };
      const response_format = { type: 'json_schema', json_schema: { name: 'long', schema } };
      await page.route('**/v1/chat/completions', async (route) => {
        const body: object = JSON.parse(route.request().postData() ?? '{}');
        await route.continue({
          postData: JSON.stringify({ ...body, response_format, max_tokens: 1500 }),
        });
      });
      await ask(page, 'Why?');
      await page.getByRole('button', { name: 'Stop' }).click();
      await answers(page).getByText('Stopped.').waitFor();
      await expect
        .poll(
          async () => ((await (await fetch(`${server.url}/slots`)).json()) as { running: number }).running,
          PATIENT,
        )
        .toBe(0);
      await page.unroute('**/v1/chat/completions');
    });
    expect(wrongs).toEqual([]);
  });

  const clips = new Clips();
  it.skipIf(!hasFfmpeg)('shows as many frames of a video as the model sees', async () => {
    await using server = await serve(['--model', writeTinyVideoModel(clips.path('model'))]);
    const wrongs = await browser(DESKTOP, `${server.url}/`, async (page) => {
      await page.locator('.server.ready').waitFor();
      await page.locator('input[type=file]').first().setInputFiles('test/fixtures/video/three-seconds.webm');
      await page.locator('.frames li').nth(3).waitFor();
      await ask(page, 'What happens?');
      await answered(page);
      expect(await page.locator('.frames li').count()).toBe(4);
    });
    await expect.poll(() => server.log(), PATIENT).toContain('"image":"64 x 48, 4 frames"');
    expect(wrongs).toEqual([]);
  });
});
