/** Pictures that several questions are about are encoded once, and let go when others have taken their place. */
import { expect, test } from 'vitest';
import { EncodedPictures } from '../../src/eval/encoded-pictures.ts';

function scripted() {
  const encoded: string[] = [];
  const disposed: string[] = [];
  const model = {
    async encodeImage(bytes: Uint8Array) {
      const name = Buffer.from(bytes).toString();
      if (name === 'bad') throw new Error('no picture');
      encoded.push(name);
      return { name, dispose: () => disposed.push(name) };
    },
  };
  const pictures = new EncodedPictures(model as never, 2);
  const { signal } = new AbortController();
  const use = (name: string, work = async () => {}) => pictures.use(Buffer.from(name), { signal }, work);
  return { encoded, disposed, use };
}

test('the same bytes are encoded once; the longest unused goes first', async () => {
  const { encoded, disposed, use } = scripted();
  for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await use(name);
  expect([encoded, disposed]).toEqual([
    ['a', 'b', 'c', 'b'],
    ['b', 'c'],
  ]);
});

test('one in use stays, however many others come', async () => {
  const { encoded, disposed, use } = scripted();
  await use('a', async () => {
    await Promise.all(['b', 'c', 'd', 'a'].map((name) => use(name)));
    expect(disposed).not.toContain('a');
  });
  expect(encoded).toEqual(['a', 'b', 'c', 'd']);
});

test('one that cannot be decoded fails its questions, and is not kept', async () => {
  const { disposed, use } = scripted();
  await expect(use('bad')).rejects.toThrow('no picture');
  await expect(use('bad')).rejects.toThrow('no picture');
  for (const name of ['a', 'b', 'c']) await use(name);
  expect(disposed).toEqual(['a']);
});
