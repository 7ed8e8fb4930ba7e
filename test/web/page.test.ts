/** The built page is one small file, and its policy allows all its content. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { textFor } from '../../web/language/choose.ts';
import { isSendKey } from '../../web/view/keys.ts';
import { BUILT_PAGE } from './scripted-server.ts';

const WEB = fileURLToPath(new URL('../../web', import.meta.url));
const page = existsSync(BUILT_PAGE) ? readFileSync(BUILT_PAGE, 'utf8') : '';
const contents = (element: string) =>
  [...page.matchAll(new RegExp(`<${element}>(.*?)</${element}>`, 'gs'))].map((match) => match[1] ?? '');

describe.skipIf(page === '')('the built page (npm run build)', () => {
  it('is under 200 kB gzipped', () => {
    expect(gzipSync(page).length).toBeLessThan(200_000);
  });

  it('has one script and one style, each with its hash in the policy', () => {
    for (const element of ['script', 'style']) {
      const [text = '', ...more] = contents(element);
      const hash = createHash('sha256').update(text).digest('base64');
      expect(more).toEqual([]);
      expect(page).toContain(`${element}-src 'sha256-${hash}'`);
    }
  });

  it('has a file with the licences of its libraries', () => {
    const licences = readFileSync(new URL('licences.txt', BUILT_PAGE), 'utf8');
    for (const library of ['dompurify', 'marked', 'preact', 'temml']) {
      expect(licences).toMatch(new RegExp(`^${library}$`, 'm'));
    }
  });

  it('loads no other files, and has no code outside of its script', () => {
    const shell = contents('script')
      .concat(contents('style'))
      .reduce((rest, text) => rest.replace(text, ''), page);
    expect(shell.length).toBeLessThan(5000);
    expect(shell).not.toMatch(/\ssrc=|\son\w+=|javascript:|href="(?!data:)/);
    expect(contents('style')[0]).not.toMatch(/@import|url\((?!["']?data:|%23)/);
  });
});

describe('the page’s code', () => {
  const files = readdirSync(`${WEB}`, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.tsx?$/.test(file),
  );

  it.each(files)('%s imports nothing outside web/', (file) => {
    const links = [...readFileSync(`${WEB}/${file}`, 'utf8').matchAll(/from '(\.[^']+)'/g)].map(
      (m) => m[1] ?? '',
    );
    const outside = links
      .map((link) => path.posix.join(path.posix.dirname(file), link))
      .filter((target) => target.startsWith('..') && !target.startsWith('../examples/receipts/'));
    expect(outside).toEqual([]);
  });
});

describe('the language', () => {
  it.each([
    ['auto', ['zh-CN', 'en'], 'zh-CN'],
    ['auto', ['zh-Hant-TW'], 'zh-CN'],
    ['auto', ['de-DE', 'zh'], 'zh-CN'],
    ['auto', ['fr', 'en-GB', 'zh'], 'en'],
    ['auto', ['fr'], 'en'],
    ['zh', ['en'], 'zh-CN'],
    ['en', ['zh'], 'en'],
  ] as const)('for the choice %s and the browser’s %j is %s', (choice, languages, code) => {
    expect(textFor(choice, languages).code).toBe(code);
  });
});

describe('Enter', () => {
  const enter = {
    key: 'Enter',
    shiftKey: false,
    ctrlKey: false,
    metaKey: false,
    isComposing: false,
    keyCode: 13,
  };
  it.each([
    ['sends', {}, false, true],
    ['with Shift is a new line', { shiftKey: true }, false, false],
    ['while composing takes the word', { isComposing: true }, false, false],
    ['with key code 229 takes the word, as Safari has it', { keyCode: 229 }, false, false],
    ['on a touch screen is a new line', {}, true, false],
    ['with Ctrl on a touch screen sends', { ctrlKey: true }, true, true],
    ['that is another key does nothing', { key: 'a' }, false, false],
  ])('%s', (_, change, isTouch, sends) => {
    expect(isSendKey({ ...enter, ...change }, isTouch)).toBe(sends);
  });
});
