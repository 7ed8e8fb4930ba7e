import fc from 'fast-check';
import type { Token } from 'marked';
import temml from 'temml';
import { describe, expect, it } from 'vitest';
import { closeOpen } from '../../web/markdown/close-open.ts';
import { ALLOWED } from '../../web/markdown/draw-formula.ts';
import { blocksOf } from '../../web/markdown/render.ts';

/** The kinds and texts of the tokens of a line or a block. */
function partsOf(text: string): string[] {
  const parts: string[] = [];
  const walk = (token: Token) => {
    if (token.type === 'formula') parts.push(`formula ${token.text}`);
    else if (token.type === 'table') {
      for (const cell of [token.header, ...token.rows].flat()) cell.tokens.forEach(walk);
    } else if (token.type === 'list') token.items.forEach(walk);
    else if ('tokens' in token && token.tokens) token.tokens.forEach(walk);
    else if (token.type === 'text' || token.type === 'escape') parts.push(`text ${token.text}`);
    else parts.push(`${token.type} ${'text' in token ? token.text : ''}`);
  };
  blocksOf(text).forEach(walk);
  return parts;
}
const formulasOf = (text: string) =>
  partsOf(text)
    .filter((part) => part.startsWith('formula '))
    .map((part) => part.slice('formula '.length));

describe('a formula', () => {
  it.each([
    ['the root $x_1$.', ['$x_1$']],
    ['the roots \\(x_1\\) and \\(x_2\\)', ['\\(x_1\\)', '\\(x_2\\)']],
    ['so \\[ a = b \\] holds', ['\\[ a = b \\]']],
    ['$$a$$', ['$$a$$']],
    ['We have:\n$$\na\n= b\n- c\n+ d\n$$\nand so on', ['$$\na\n= b\n- c\n+ d\n$$']],
    ['\\[\na\n\n\\]', []],
    ['面积$S$为$ab$，即**$c=5$**。', ['$S$', '$ab$', '$c=5$']],
    ['the $n$th of **$a*b$** and $c*d$', ['$n$', '$a*b$', '$c*d$']],
    ['_one_ $a_1$ _two_', ['$a_1$']],
    ['if $a<b$ and $c>d$', ['$a<b$', '$c>d$']],
    ['| a | b |\n|---|---|\n| $x$ | \\(y\\) |', ['$x$', '\\(y\\)']],
    ['- first\n  $$\n  a\n  $$\n- second: $b$', ['$$\na\n$$', '$b$']],
    ['1. Area:\n$$\na\n$$', ['$$\na\n$$']],
    ['> $$a$$', ['$$a$$']],
    ['# About $x$', ['$x$']],
    ['it is $5 km$ away', ['$5 km$']],
    ['$\\text{a \\$5 note}$', ['$\\text{a \\$5 note}$']],
  ])('is found in %j', (text, formulas) => {
    expect(formulasOf(text)).toEqual(formulas);
  });

  it.each([
    'It costs $5 and $6.',
    '$5, $6 or $7; from $10–$20, US$5 and US$6',
    'between $10 to 20$ people',
    '价格为$5，原价6$',
    'echo $HOME:$PATH and $A/$B',
    'the words $this is not one of them$',
    'a \\$5 note and \\$6',
    '`$x$` and `\\(y\\)` and ``$$z$$``',
    '```latex\n$$\nx\n$$\n```',
    '    $$x$$',
    'in [\\[1\\]](https://example.test) and \\[1\\] and \\[a\\](b)',
    '$ x $ and $$ and \\( and \\[',
    '$a',
    '$$\na\n\nb',
  ])('is not found in %j', (text) => {
    expect(formulasOf(text)).toEqual([]);
  });

  it('is never lost, and neither is the text around it', () => {
    const sign = fc.constantFrom(
      '$',
      '$$',
      '\\(',
      '\\)',
      '\\[',
      '\\]',
      '`',
      '**',
      'a',
      '5',
      ' ',
      '\n',
      '{',
      '中',
    );
    fc.assert(
      fc.property(fc.array(sign, { maxLength: 40 }), (signs) => {
        const text = signs.join('');
        const raw = blocksOf(text).map((block) => block.raw);
        expect(raw.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
      }),
    );
  });
});

describe('a formula that is still being written', () => {
  it.each([
    ['so $x^', 'so '],
    ['so $', 'so '],
    ['so \\', 'so '],
    ['so \\(x', 'so '],
    ['so $$\n\\frac{a}', 'so '],
    ['**so $x', '**so**'],
    ['so $[0,1)$ is', 'so $[0,1)$ is'],
    ['so \\([0,1)\\)', 'so \\([0,1)\\)'],
    ['run `echo $x', 'run `echo $x`'],
    ['it costs $5 and ', 'it costs $5 and '],
    ['it is $5 km', 'it is '],
    ['价格为$5，比', '价格为$5，比'],
    ['it costs $5\nor', 'it costs $5\nor'],
    ['costs $5 and \\(x', 'costs $5 and '],
    ['\\[ never closed\n\nnext', '\\[ never closed\n\nnext'],
    ['a \\* b', 'a \\* b'],
  ])('%j reads %j', (text, shown) => {
    expect(closeOpen(text)).toBe(shown);
  });

  it('is not shown before it is complete, at any point of an answer', () => {
    const answer =
      'Its **roots** are $x_1$ and **$x_2$**, for $5 and $6, where\n\n$$\nx = \\frac{-b}{2a}\n$$\n\nand \\(\\alpha[0]\\):\n- \\[ y = \\sqrt{2} \\]\n- 速度$v=\\frac{s}{t}$。';
    for (let end = 1; end <= answer.length; end++) {
      for (const part of partsOf(closeOpen(answer.slice(0, end)))) {
        if (part.startsWith('text ')) expect(part).not.toMatch(/\\|\$(?![56])|[_^{}]/);
      }
    }
    expect(formulasOf(answer)).toHaveLength(6);
  });
});

describe('the sanitizer and the output of Temml', () => {
  const formulas = [
    'x_1^2 + \\frac{a}{b} + \\sqrt{x} + \\sqrt[3]{x} + \\binom{n}{k}',
    '\\sum_{i=1}^n i \\int_0^1 \\oint \\lim_{x \\to 0} \\prod \\bigcup_{i} A_i',
    '\\left( \\frac{a}{b} \\right) \\Bigl[ x \\Bigr] \\langle x \\mid y \\rangle \\lVert x \\rVert \\lfloor x \\rfloor',
    '\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix} \\begin{cases} x & y \\\\ z & w \\end{cases}',
    '\\begin{aligned} a &= b \\\\ &= c \\end{aligned}',
    '\\begin{array}{|c|r|} \\hline a & b \\\\ \\hline \\end{array}',
    '\\hat{x} \\vec{x} \\bar{x} \\dot{x} \\tilde{x} \\overline{AB} \\underline{x} \\widehat{ABC} \\overbrace{x}^{y} \\underbrace{x}_{y}',
    '\\mathbb{R} \\mathcal{L} \\mathfrak{g} \\mathbf{x} \\mathrm{d} \\mathsf{x} \\mathtt{x} \\boldsymbol{\\alpha} \\text{words and $x$}',
    '\\cancel{x} \\boxed{x} \\fbox{x} \\color{red} x \\textcolor{#00f}{x} \\colorbox{yellow}{x}',
    "f'(x) \\nabla \\partial \\infty \\pm \\times \\cdot \\leq \\approx \\to \\xrightarrow{a} \\ce{2H2 + O2 -> 2H2O}",
    'a \\quad b \\, c \\! d \\hspace{1em} \\phantom{x} \\stackrel{a}{=} \\overset{a}{b} \\underset{a}{b} \\rule{1em}{1em}',
    '\\sideset{_a^b}{_c^d}\\sum \\prescript{14}{6}{C} \\operatorname{rank} x \\bmod y \\pmod n \\not= \\degree \\llap{x}',
    'x = y \\tag{1}',
    '\\begin{align} a &= b \\\\ c &= d \\end{align}',
  ];
  it.each(formulas)('the sanitizer keeps the whole formula: %s', (tex) => {
    const markup = temml.renderToString(tex, { displayMode: true, throwOnError: true });
    for (const [, tag = '', attributes = ''] of markup.matchAll(/<(\w+)([^>]*)>/g)) {
      expect(ALLOWED.ALLOWED_TAGS).toContain(tag);
      for (const [, name] of attributes.matchAll(/ ([\w-]+)="/g))
        expect(ALLOWED.ALLOWED_ATTR).toContain(name);
    }
  });
});
