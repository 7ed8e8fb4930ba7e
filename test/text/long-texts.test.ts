import { expect, it } from 'vitest';
import { LONG_TEXT } from '../../src/text/long-texts.ts';
import { Tokenizer } from '../../src/text/tokenizer.ts';
import { readFixture } from './fixtures.ts';

const source = readFixture('tokenizer.json');
const config = readFixture('tokenizer_config.json');

it('a long text that is encoded in the thread has the same ids, and the event loop continues', async () => {
  const tokenizer = new Tokenizer(source, config);
  const texts = ['中'.repeat(20_000), `What is it? ${'a b 12 '.repeat(2_000)}`];
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  count();
  await Promise.all(texts.map((text) => tokenizer.encodeAhead(text)));
  isDone = true;
  expect(turns).toBeGreaterThan(10);
  for (const text of texts) {
    const ids = tokenizer.encode(text);
    expect(ids).toEqual(new Tokenizer(source, config).encode(text));
    // The caller may change the result.
    ids.length = 0;
    expect(tokenizer.encode(text).length).toBeGreaterThan(0);
  }
});

it('a short text needs no thread', async () => {
  const tokenizer = new Tokenizer(source, config);
  const text = 'a'.repeat(LONG_TEXT - 1);
  await tokenizer.encodeAhead(text);
  expect(tokenizer.encode(text)).toEqual(new Tokenizer(source, config).encode(text));
});
