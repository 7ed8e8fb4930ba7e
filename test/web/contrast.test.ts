/** The colours of both themes fulfil WCAG 2.2 AA: a contrast of 4.5 to 1 for text, and 3 to 1 for marks of controls. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const tokens = readFileSync(new URL('../../web/style/tokens.css', import.meta.url), 'utf8');
const coloursIn = (block: string) =>
  Object.fromEntries(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value ?? '']),
  );
const [, light = '', dark = ''] = tokens.split(/:root[^{]*\{/);
const themes = { light: coloursIn(light), dark: coloursIn(dark) };

const TEXT: [string, string[]][] = [
  ['text', ['ground', 'raised', 'sunken', 'hover', 'accent-soft', 'warn-soft', 'bad-soft']],
  ['muted', ['ground', 'raised', 'sunken', 'hover', 'bad-soft', 'warn-soft']],
  ['accent', ['ground', 'raised']],
  ['on-accent', ['accent', 'accent-strong']],
  ['warn', ['ground', 'raised', 'warn-soft']],
  ['bad', ['raised', 'bad-soft']],
  ['ground', ['text']],
];
const CONTROLS: [string, string[]][] = [
  ['edge', ['ground', 'raised']],
  ['accent', ['ground', 'raised', 'sunken', 'line']],
];

describe.each(Object.entries(themes))('in the %s theme', (_, colours) => {
  const pairs = (list: [string, string[]][]) =>
    list.flatMap(([on, grounds]) => grounds.map((under) => [on, under]));
  const contrast = (one = '', other = '') => {
    const [high = 0, low = 0] = [luminance(colours[one]), luminance(colours[other])].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };

  it.each(pairs(TEXT))('%s can be read on %s', (on, under) => {
    expect(contrast(on, under)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(pairs(CONTROLS))('%s can be seen on %s', (on, under) => {
    expect(contrast(on, under)).toBeGreaterThanOrEqual(3);
  });
});

/** https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(hex = ''): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
