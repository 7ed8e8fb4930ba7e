/** Videos on the page, in a real browser: as a file, as frames, as rows of a table, and with a model for images. */
import { readFileSync } from 'node:fs';
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
import type { ChatBody, ScriptedServer } from './scripted-server.ts';

/** One second each of red, green and blue, 64 x 48: `ffmpeg -f lavfi -i color=red:s=64x48:r=5:d=1 …`, VP8. */
const clip = {
  name: 'clip.webm',
  mimeType: 'video/webm',
  buffer: readFileSync(new URL('../fixtures/video/three-seconds.webm', import.meta.url)),
};
const videoModel = (files: boolean) => ({
  modalities: { vision: true, video: true, audio: false },
  video: { files, max_frames: 24, max_second: 999 },
});
interface Part {
  type: string;
  video_url?: { url: string };
  video_frames?: { second: number; url: string }[];
}
const partOf = (body: ChatBody | undefined) => (body?.messages.at(-1)?.content as Part[] | undefined)?.[0];

describe.skipIf(noBrowser !== null)(`videos in a browser (${noBrowser ?? 'Chromium'})`, PATIENT, () => {
  let server: ScriptedServer;
  const onPage = useScriptedPage((opened) => {
    server = opened;
  });
  const give = async (page: Page, ...files: (typeof clip)[]) => {
    await page.locator('.server.ready').waitFor();
    await page.locator('input[type=file]').first().setInputFiles(files);
  };

  it('are shown with their frames, sent as a file, and kept', async () => {
    server.script.props = videoModel(true);
    server.script.steps = () => [{ progress: { stage: 'vision', done: 1, total: 3 } }, 'Three colours.'];
    await onPage(DESKTOP, async (page) => {
      await give(page, clip);
      await page.locator('.frames li').nth(3).waitFor();
      expect(await page.locator('.frames').textContent()).toBe('0 s1 s2 s3 s');
      await page.getByRole('button', { name: '2 s' }).click();
      await expect
        .poll(
          () => page.locator('.clip video').evaluate((video) => (video as HTMLVideoElement).currentTime),
          PATIENT,
        )
        .toBe(2);
      expect(await accessibilityFindings(page)).toEqual([]);
      await ask(page, 'What happens?');
      await answered(page);
      await shoot(page, 'video');
      await page.reload();
      await page.locator('.frames li').nth(3).waitFor();
      await ask(page, 'And then?');
      await expect.poll(() => server.asked.length, PATIENT).toBe(2);
    });
    for (const body of server.asked) {
      const [head, base64 = ''] = partOf(body)?.video_url?.url.split(',') ?? [];
      expect(head).toBe('data:video/webm;base64');
      expect(Buffer.from(base64, 'base64').equals(clip.buffer)).toBe(true);
      expect(body).not.toHaveProperty('return_evidence');
    }
  });

  it('are sent as frames with their seconds if the server has no ffmpeg', async () => {
    server.script.props = videoModel(false);
    await onPage(DESKTOP, async (page) => {
      await give(page, clip);
      await page.locator('.frames li').nth(3).waitFor();
      await ask(page, 'What happens?');
      await answered(page);
    });
    const frames = partOf(server.asked[0])?.video_frames ?? [];
    // The last frame starts at 2.8 s, which is nearest to second 3.
    expect(frames.map(({ second }) => second)).toEqual([0, 1, 2, 3]);
    const strongest = frames.map(async ({ url }) => {
      const { channels } = await sharp(Buffer.from(url.split(',')[1] ?? '', 'base64')).stats();
      const means = channels.map(({ mean }) => mean);
      return ['red', 'green', 'blue'][means.indexOf(Math.max(...means))];
    });
    expect(await Promise.all(strongest)).toEqual(['red', 'green', 'blue', 'blue']);
  });

  it('are rows of a table', async () => {
    server.script.props = videoModel(true);
    server.script.steps = () => ['A clip'];
    await onPage(DESKTOP, async (page) => {
      await give(page, clip, { ...clip, name: 'other.webm' });
      await page.locator('.batch-table tbody tr').nth(1).waitFor();
      await page.getByLabel('Question 1').fill('Please describe this video in detail.');
      await page.getByRole('button', { name: 'Read 2 pages' }).click();
      await expect.poll(() => page.locator('.state-done').count(), PATIENT).toBe(2);
      await page.locator('.batch-table .cell').first().click();
      await page.locator('.clip video').waitFor();
      await shoot(page, 'video-row');
    });
    expect(server.asked.map((body) => partOf(body)?.type)).toEqual(['video_url', 'video_url']);
  });

  it.each([
    [DESKTOP, '“clip.webm” is a video, and this model sees images only.'],
    [PHONE, '“clip.webm”是视频，而此模型只能看图片。'],
  ])('are refused with a sentence by a model for images', async (look, sentence) => {
    await onPage(look, async (page) => {
      await give(page, clip);
      await page.locator('.notices, .notice').getByText(sentence).first().waitFor();
    });
  });

  it('are read by the server if the browser cannot play them, with a notice', async () => {
    server.script.props = videoModel(true);
    await onPage(DESKTOP, async (page) => {
      await give(page, {
        ...clip,
        name: 'old.avi',
        mimeType: 'video/x-msvideo',
        buffer: Buffer.from('RIFF'),
      });
      await page.getByText('This browser cannot play the video.').waitFor();
      await ask(page, 'What happens?');
      await answered(page);
    });
    expect(partOf(server.asked[0])?.video_url?.url).toMatch(/^data:video\/x-msvideo;base64,/);
  });

  it('are refused with a sentence if neither the browser nor the server can read them', async () => {
    server.script.props = videoModel(false);
    await onPage(DESKTOP, async (page) => {
      await give(page, { ...clip, buffer: Buffer.from('no video') });
      await page.getByText('“clip.webm” cannot be read: this browser does not play it').first().waitFor();
    });
  });
});
