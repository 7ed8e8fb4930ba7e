import { expect, test } from 'vitest';
import { cleanSpaces, SpaceCleaner } from '../../src/text/clean-spaces.ts';
import { Detokenizer } from '../../src/text/detokenizer.ts';
import { seeded, tokenizer } from './fixtures.ts';

function stream(ids: readonly number[], options = {}): string[] {
  const detokenizer = new Detokenizer(tokenizer, options);
  return [...ids.map((id) => detokenizer.push(id)), detokenizer.flush()];
}

test('characters of several tokens appear when they are complete', () => {
  for (const text of ['繁體字', '👩‍👩‍👧‍👦', '𠮷', 'नमस्ते']) {
    const ids = tokenizer.encode(text);
    expect(ids.length).toBeGreaterThan([...text].length);
    const chunks = stream(ids);
    expect(chunks.join('')).toBe(text);
    for (const chunk of chunks) {
      expect(chunk).not.toContain('\ufffd');
      expect(chunk).not.toMatch(/\p{Surrogate}/u); // half of a surrogate pair
    }
  }
});

test('text is held back only if necessary', () => {
  const detokenizer = new Detokenizer(tokenizer);
  const ids = tokenizer.encode('The picture');
  expect(ids.map((id) => detokenizer.push(id)).join('')).toBe('The picture');
});

test('a space waits for the full stop that would remove it', () => {
  const detokenizer = new Detokenizer(tokenizer);
  const push = (text: string) =>
    tokenizer
      .encode(text)
      .map((id) => detokenizer.push(id))
      .join('');
  expect(push('end')).toBe('end');
  expect(push(' ')).toBe('');
  expect(push('.')).toBe('.');
  expect(push(' ')).toBe('');
  expect(push('x')).toBe(' x');
  expect(push(' ')).toBe('');
  expect(detokenizer.flush()).toBe(' ');
});

test('an incomplete character becomes U+FFFD at the end, and does not affect the next text', () => {
  const detokenizer = new Detokenizer(tokenizer);
  const [first] = tokenizer.encode('繁');
  expect(detokenizer.push(first!)).toBe('');
  expect(detokenizer.flush()).toBe('\ufffd');
  expect(
    tokenizer
      .encode('ok')
      .map((id) => detokenizer.push(id))
      .join(''),
  ).toBe('ok');
});

test('U+FEFF is text', () => {
  expect(stream(tokenizer.encode('\ufeffbom')).join('')).toBe('\ufeffbom');
});

test('joined chunks equal decode, for random ids and every setting', () => {
  const next = seeded(2);
  // Many tokens that the clean-up changes, and a few other tokens.
  const busy = tokenizer
    .encode(" . ? ! , ' n't 'm 's 've 're")
    .concat(tokenizer.encode(" '"), tokenizer.encode(' '));
  for (let round = 0; round < 3000; round++) {
    const ids = Array.from({ length: next(40) }, () =>
      next(3) === 0 ? next(tokenizer.vocabSize) : busy[next(busy.length)]!,
    );
    for (const options of [{}, { cleanSpaces: false }, { keepSpecial: true }]) {
      expect(stream(ids, options).join('')).toBe(tokenizer.decode(ids, options));
    }
  }
});

test('the clean-up of pieces equals the clean-up of the whole', () => {
  const next = seeded(3);
  const letters = " .?!,'ntmsrev";
  for (let round = 0; round < 5000; round++) {
    const pieces = Array.from({ length: next(12) }, () =>
      Array.from({ length: next(5) }, () => (next(2) ? ' ' : letters[next(letters.length)])).join(''),
    );
    const cleaner = new SpaceCleaner();
    const streamed = pieces.map((piece) => cleaner.push(piece)).join('') + cleaner.flush();
    expect(streamed).toBe(cleanSpaces(pieces.join('')));
  }
});

test('the clean-up applies its rules in the reference`s order', () => {
  expect(cleanSpaces("a ' .")).toBe("a '.");
  expect(cleanSpaces("it 's a ' b")).toBe("it's a'b");
  expect(cleanSpaces('two  . spaces')).toBe('two . spaces');
  expect(cleanSpaces("x  ' s")).toBe("x's");
});

test('each token costs its own bytes, however long the answer is', () => {
  let asked = 0;
  const counted = {
    cleansSpaces: true,
    isSpecial: (id: number) => tokenizer.isSpecial(id),
    bytesOf: (id: number) => {
      asked++;
      return tokenizer.bytesOf(id);
    },
  };
  const detokenizer = new Detokenizer(counted);
  const ids = tokenizer.encode(' The answer isn’t long . ');
  for (let i = 0; i < 2_000; i++) detokenizer.push(ids[i % ids.length]!);
  expect(asked).toBe(2_000);
});
