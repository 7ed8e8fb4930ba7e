import { describe, expect, it } from 'vitest';
import { closeOpen } from '../../web/markdown/close-open.ts';

describe('the end of a text that is still being written', () => {
  it.each([
    ['plain', 'plain'],
    ['the **tot', 'the **tot**'],
    ['the **', 'the '],
    ['**a** and **b', '**a** and **b**'],
    ['run `npm', 'run `npm`'],
    ['run `', 'run '],
    ['see [the pa', 'see the pa'],
    ['see [the page](https://exa', 'see the page'],
    ['see [the page](https://example.test)', 'see [the page](https://example.test)'],
    ['an ![im](htt', 'an im'],
    ['```js\nconst a = `x', '```js\nconst a = `x'],
    ['```\nx\n```\n\nthen **b', '```\nx\n```\n\nthen **b**'],
    ['**open\n\nnext paragraph', '**open\n\nnext paragraph'],
    ['`**` is two', '`**` is two'],
  ])('%j reads %j', (text, shown) => {
    expect(closeOpen(text)).toBe(shown);
  });
});
