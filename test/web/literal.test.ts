/** Markdown must not change text that was read: ranges, products, addresses in Chinese text, and deep nesting. */
import fc from 'fast-check';
import type { Token } from 'marked';
import { describe, expect, it } from 'vitest';
import { blocksOf } from '../../web/markdown/render.ts';

/** [type, text] of all tokens except plain text. */
function marksOf(text: string): string[] {
  const marks: string[] = [];
  const walk = (token: Token) => {
    if (['em', 'strong', 'del', 'codespan'].includes(token.type) && 'text' in token)
      marks.push(`${token.type} ${token.text}`);
    if (token.type === 'link') marks.push(`link ${token.href}`);
    for (const child of ('tokens' in token && token.tokens) || []) walk(child);
  };
  blocksOf(text).forEach(walk);
  return marks;
}

describe('a text that was read', () => {
  it.each([
    '约3~5天，或10~20天',
    '25~30℃，湿度40~60%',
    '~1 h and ~2 h',
    '尺寸 10*20*30cm',
    '3*4*5 = 60',
    'a*b*c and 2*x*y',
    '2**10**2',
    '(2*3)*(4*5)',
    '*10*20',
    'snake_case_name and __init__x',
  ])('%s has no marks', (text) => {
    expect(marksOf(text)).toEqual([]);
  });

  it.each([
    ['访问https://example.com/a，然后继续', ['link https://example.com/a']],
    ['www.example.com。好', ['link http://www.example.com']],
    ['（见https://example.com/a?b=1）', ['link https://example.com/a?b=1']],
    ['“https://example.com/x”', ['link https://example.com/x']],
    ['https://a.example/1、https://a.example/2；', ['link https://a.example/1', 'link https://a.example/2']],
    ['see https://example.com/a, then', ['link https://example.com/a']],
  ])('%s links its addresses only', (text, marks) => {
    expect(marksOf(text)).toEqual(marks);
  });

  it.each([
    ['~~old~~ price', ['del old']],
    ['*word* and **words**', ['em word', 'strong words']],
    ['这是**重点**内容，*也是*。', ['strong 重点', 'em 也是']],
    ['斜边**“c”**为5', ['strong “c”']],
    ['斜边*“c”*为5', ['em “c”']],
    ['un*believ*able', []],
    ['un**believ**able', ['strong believ']],
    ['*10 apples*', ['em 10 apples']],
  ])('%s has the intended marks', (text, marks) => {
    expect(marksOf(text)).toEqual(marks);
  });
});

describe('nesting without end', () => {
  const depthOf = (token: Token): number => {
    const children: Token[] = token.type === 'list' ? token.items : ('tokens' in token && token.tokens) || [];
    return 1 + Math.max(0, ...children.map(depthOf));
  };

  it.each([
    ['quotes', '> '.repeat(3000)],
    ['quotes without spaces', '>'.repeat(30_000)],
    ['lists', '- '.repeat(3000)],
    ['numbered lists', '1. '.repeat(3000)],
    ['both', '> - '.repeat(3000)],
    [
      'a list that goes deeper in each line',
      Array.from({ length: 200 }, (_, i) => `${'  '.repeat(i)}- a`).join('\n'),
    ],
    ['emphasis', '*a '.repeat(3000)],
    ['strong text', '**a*'.repeat(3000)],
    ['brackets', '['.repeat(20_000)],
    ['strikes', '~~a '.repeat(3000)],
  ])('%s are limited, and the text is complete', (_, opening) => {
    const text = `${opening}x`;
    const blocks = blocksOf(text);
    expect(
      blocks
        .map(({ raw }) => raw)
        .join('')
        .replace(/\s/g, ''),
    ).toBe(text.replace(/\s/g, ''));
    for (const block of blocks) expect(depthOf(block)).toBeLessThan(60);
  });

  it('no other text throws an error', () => {
    const sign = fc.constantFrom(
      '> ',
      '- ',
      '1. ',
      '*',
      '**',
      '~~',
      '`',
      '[',
      ']',
      '(',
      ')',
      '<',
      '|',
      '\n',
      '$',
      'a',
      '，',
    );
    fc.assert(
      fc.property(fc.array(sign, { maxLength: 400 }), (signs) => {
        blocksOf(signs.join(''));
      }),
      { numRuns: 300 },
    );
  });
});
