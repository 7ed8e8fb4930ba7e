/** No accessibility findings in any state of the page: four sizes, two languages, light and dark. Nothing is wider than the window. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import {
  accessibilityFindings,
  answered,
  answers,
  ask,
  type Look,
  noBrowser,
  PATIENT,
  SIZES,
  shoot,
} from './browser.ts';
import { useScriptedPage } from './scripted-page.ts';
import type { ScriptedServer } from './scripted-server.ts';

const receipt = (name: string) => ({
  name: `${name}.png`,
  mimeType: 'image/png',
  buffer: readFileSync(new URL(`../../examples/receipts/${name}.png`, import.meta.url)),
});
const ANSWER = `The total is **9.50**, as \`TOTAL\` says, [here](https://example.com).

| item | price |
|---|---:|
| tea | 4.00 |

\`\`\`json
{ "total": 9.5 }
\`\`\`

It stands at the end [[100,700,900,800]]: $4 + 5.5 = 9.5$`;

const LOOKS = SIZES.flatMap((size) =>
  (['en-US', 'zh-CN'] as const).map((language): Look => ({ language, size, colours: 'light' })),
);

/** Each look has 17 checks. */
const LONG = { timeout: 4 * PATIENT.timeout };

describe.skipIf(noBrowser !== null)(`accessibility (${noBrowser ?? 'Chromium'})`, LONG, () => {
  let server: ScriptedServer;
  const onPage = useScriptedPage((opened) => {
    server = opened;
    server.script.props = { is_demo: true };
    const cell = { x: 0.5, y: 0.75, width: 1 / 12, height: 1 / 12, score: 0.8 };
    server.script.evidence = { cells: [cell], tokens: [{ start: 0, end: 4, cells: [cell] }] };
  });

  it.each(LOOKS)('has no findings: $size, $language', async (look) => {
    const isEnglish = look.language === 'en-US';
    const words = (english: string, chinese: string) => (isEnglish ? english : chinese);
    const found: string[] = [];
    const check = async (page: Page, state: string) => {
      for (const colours of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme: colours });
        await page.locator(`html[data-theme="${colours}"]`).waitFor();
        await shoot(page, `${state}-${look.size}-${look.language}-${colours}`);
        // Only the colours are different.
        const findings = await accessibilityFindings(page, colours === 'dark' ? ['color-contrast'] : []);
        found.push(...findings.map((finding) => `${state}, ${colours}: ${finding}`));
      }
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth))
        found.push(`${state}: wider than the window`);
    };
    await onPage(look, async (page) => {
      await page.locator('.server.ready').waitFor();
      await check(page, 'empty');

      server.script.steps = () => [ANSWER];
      await page.locator('input[type=file]').first().setInputFiles(receipt('cafe'));
      await page.locator('.canvas img').waitFor();
      await ask(page, words('What is the total?', '总计多少钱？'));
      await answered(page);
      await answers(page)
        .first()
        .getByRole('button', { name: words('Show where this was read', '显示来源位置') })
        .click();
      await check(page, 'answer');

      server.script.steps = () => [{ error: { code: 'out_of_memory', message: 'There is no memory.' } }];
      await ask(page, words('And the date?', '日期是什么？'));
      await answers(page).locator('.failure').waitFor();
      await check(page, 'error');

      await page
        .getByRole('button', { name: words('Mark a region to ask about', '框选要提问的区域') })
        .click();
      await page.keyboard.press('ArrowRight');
      await check(page, 'region');
      await page.keyboard.press('Escape');

      await page.getByRole('button', { name: words('Settings', '设置'), exact: true }).click();
      await page.locator('dialog[open]').waitFor();
      await check(page, 'dialog');
      await page.keyboard.press('Escape');

      server.script.steps = () => ['9.50'];
      if (look.size !== 'desktop' && look.size !== 'laptop') {
        await page.getByRole('button', { name: words('Show conversations', '显示对话列表') }).click();
        await page.locator('.sidebar.open').waitFor();
        await check(page, 'list');
      }
      await page.locator('.sidebar .primary').click();
      await page.locator('input[type=file]').first().setInputFiles(['cafe', 'market', 'books'].map(receipt));
      await page.locator('.batch-table tbody tr').nth(2).waitFor();
      await page.getByRole('button', { name: words('Receipt', '小票'), exact: true }).click();
      await check(page, 'fields');
      await page.locator('.run-bar .primary:enabled').click();
      await expect.poll(() => page.locator('.state-done').count(), PATIENT).toBe(3);
      await check(page, 'table');

      await page.locator('.batch-table tbody .cell').nth(2).click();
      await page.locator('.cell-field textarea').nth(2).focus();
      await page.locator('.marks .mark').first().waitFor();
      await check(page, 'form');
    });
    expect(found).toEqual([]);
  });
});
