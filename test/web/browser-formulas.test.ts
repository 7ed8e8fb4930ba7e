/** Formulas of an answer in a real browser: rendered, read by screen readers, copied, and safe. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { answered, answers, ask, DESKTOP, noBrowser, PATIENT, PHONE, shoot } from './browser.ts';
import { useScriptedPage } from './scripted-page.ts';
import type { ScriptedServer } from './scripted-server.ts';

const ENGLISH = `The parabola $y = ax^2 + bx + c$ costs $5, not $6, and has its **vertex** at \\(\\left(-\\frac{b}{2a}, c - \\frac{b^2}{4a}\\right)\\). Its roots:

$$
x_{1,2} = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}
$$

\\[ f(x) = \\begin{cases} x^2 & \\text{if } x \\ge 0 \\\\ -x & \\text{otherwise} \\end{cases} \\qquad A = \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix} \\qquad \\sum_{n=1}^{\\infty} \\frac{1}{n^2} = \\frac{\\pi^2}{6} \\]

1. In code \`$x$\` stays, and $\\nothing{x}$ is none.
2. One in a line that does not break, $\\frac{a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 + a_{10} + a_{11} + a_{12} + a_{13} + a_{14}}{b}$.
3. A long one, $a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 + a_{10} + a_{11} + a_{12} + a_{13} + a_{14}$, breaks.

| Symbol | Meaning |
|---|---|
| $\\vec{F} = m\\vec{a}$ | force |
| $\\ce{2H2 + O2 -> 2H2O}$ | burning |`;
const CHINESE = `底边$a=3$，高$h=4$，面积$S$为

$$S = \\frac{1}{2}ah = \\frac{1}{2} \\times 3 \\times 4 = 6$$

由勾股定理，\\(c^2=a^2+b^2\\)，斜边**$c=5$**。价格为$5，原价$6。

\\[ \\text{速度} = \\frac{\\text{路程}}{\\text{时间}} \\qquad \\lim_{x\\to 0}\\frac{\\sin x}{x}=1 \\]

مرحبا $x^2$ بالعالم`;

describe.skipIf(noBrowser !== null)(`in a browser (${noBrowser ?? 'Chromium'})`, PATIENT, () => {
  let server: ScriptedServer;
  const onPage = useScriptedPage((opened) => {
    server = opened;
  });
  const asked = async (page: Page) => {
    await ask(page, 'Formulas?');
    await answered(page);
  };
  const unread = (page: Page) => answers(page).locator('.formula:not(:has(math))').allTextContents();

  it.each([
    [DESKTOP, ENGLISH],
    [{ ...DESKTOP, colours: 'dark' } as const, ENGLISH],
    [{ ...PHONE, language: 'en-US', colours: 'light' } as const, ENGLISH],
    [{ ...PHONE, language: 'en-US' } as const, ENGLISH],
    [{ ...DESKTOP, language: 'zh-CN' } as const, CHINESE],
    [PHONE, CHINESE],
  ])('renders them as MathML, and none is wider than the page: %o', async (look, answer) => {
    server.script.steps = () => [answer];
    await onPage(look, async (page) => {
      await asked(page);
      await page.locator('.thread').evaluate((thread) => thread.parentElement?.scrollTo(0, 0));
      await shoot(page, `formulas-${look.language}-${look.size}-${look.colours}`);
      expect(await unread(page)).toEqual(answer === ENGLISH ? ['$\\nothing{x}$'] : []);
      expect(await answers(page).locator('math').count()).toBe(8);
      expect(await page.getByRole('math').count()).toBeGreaterThan(0);
      expect(await answers(page).textContent()).toContain('$5');
      expect(
        await page.locator('.thread').evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth),
      ).toBe(0);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      const wide = page.locator('.formula', { hasText: 'otherwise' });
      if (look.size === 'phone' && answer === ENGLISH) {
        expect(await wide.evaluate((box) => box.scrollWidth > box.clientWidth)).toBe(true);
      }
    });
  });

  it('does not show an incomplete formula', async () => {
    server.script.steps = () => ENGLISH.split('\n\n')[0]!.match(/.{1,3}/gs)!;
    await onPage(DESKTOP, async (page) => {
      await page.evaluate(() => {
        const seen = new Set<string>();
        const drawn = new Set<Element>();
        new MutationObserver(() => {
          seen.add(document.querySelector('.markdown')?.textContent ?? '');
          for (const formula of document.querySelectorAll('.formula')) drawn.add(formula);
        }).observe(document.body, { subtree: true, childList: true, characterData: true });
        Object.assign(window, { seen, drawn });
      });
      await asked(page);
      const seen = await page.evaluate(() => [...(window as unknown as { seen: Set<string> }).seen]);
      expect(seen.length).toBeGreaterThan(2);
      for (const text of seen) expect(text).not.toMatch(/\\|[_^{}]|\$(?!5|6)/);
      expect(await answers(page).locator('math').count()).toBe(2);
      // Each formula is rendered once.
      expect(await page.evaluate(() => (window as unknown as { drawn: Set<Element> }).drawn.size)).toBe(2);
    });
  });

  it('copies the source of formulas with an answer or a part of it', async () => {
    server.script.steps = () => [ENGLISH];
    await onPage(DESKTOP, async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await asked(page);
      const copied = () => page.evaluate(() => navigator.clipboard.readText());
      await page.getByRole('button', { name: 'Copy', exact: true }).click();
      await page.getByText('Copied').waitFor();
      expect(await copied()).toBe(ENGLISH);
      await page.evaluate(() => {
        getSelection()?.selectAllChildren(document.querySelector('.markdown')!);
        document.execCommand('copy');
      });
      const selected = await copied();
      expect(selected).toContain('The parabola $y = ax^2 + bx + c$ costs $5, not $6, and');
      expect(selected).toContain(ENGLISH.split('\n\n')[1]);
      expect(selected).toContain('$\\vec{F} = m\\vec{a}$');
      const html = await page.evaluate(async () => {
        const [item] = await navigator.clipboard.read();
        return (await item!.getType('text/html')).text();
      });
      expect(html).toContain('<msup>');
      expect(await page.locator('body > .markdown').count()).toBe(0);
    });
  });

  it('removes code that is hidden in a formula', async () => {
    const attacks = [
      '$\\href{javascript:window.harmed=1}{x}$',
      '$\\href{https://elsewhere.test}{x}$',
      '$\\url{https://elsewhere.test}$',
      '$\\includegraphics{https://elsewhere.test/pixel.png}$',
      '$\\style{position:fixed;inset:0}{x}$',
      '$\\class{sidebar}{x}$',
      '$\\id{page}{x}$',
      '$\\data{a=b}{x}$',
      '$\\htmlStyle{color:red}{x}$',
      '$\\ref{page}$',
      '$\\color{red;position:fixed}{x}$',
      '$\\def\\a{\\a\\a}\\a$',
      `$${'\\boxed{'.repeat(60)}x${'}'.repeat(60)}$`,
      '$\\kern{-9999em} x$',
      '$\\raisebox{-99999em}{x}$',
      '$\\text{<img src=x onerror="window.harmed = 1">$',
    ];
    const harmless = [
      '$\\text{<img src=x onerror="window.harmed = 1">}$',
      '$\\text{</math><script>window.harmed = 1</script>}$',
      '$\\verb|<svg onload=window.harmed=1>|$',
      '$\\rule{9999em}{9999em}$',
      '$\\label{page} x$',
    ];
    server.script.steps = () => [...attacks, ...harmless].map((attack) => `${attack}\n\n`);
    await onPage(DESKTOP, async (page) => {
      await asked(page);
      await shoot(page, 'formulas-attacks');
      expect(await unread(page)).toEqual(attacks);
      const answer = answers(page).locator('.markdown');
      expect(await answer.locator('math').count()).toBe(harmless.length);
      const other = ':not(math, math *, .markdown, div, p, br, .formula)';
      expect(await answer.locator(`${other}, a, [href], [src], [id], math :not(:is(math *))`).count()).toBe(
        0,
      );
      expect(
        await answer.locator('math *').evaluateAll((all) => all.map((each) => each.namespaceURI)),
      ).toEqual(expect.not.arrayContaining(['http://www.w3.org/1999/xhtml', 'http://www.w3.org/2000/svg']));
      expect(await answer.evaluate((element) => element.getBoundingClientRect().height)).toBeLessThan(5000);
      expect(await page.evaluate(() => 'harmed' in window)).toBe(false);
    });
  });
});
