import { Tokenizer as Package } from '@huggingface/tokenizers';
import { expect, test } from 'vitest';
import { CogVLM2Error } from '../../src/errors.ts';
import { Tokenizer } from '../../src/text/tokenizer.ts';
import { readFixture, reference, seeded, tokenizer } from './fixtures.ts';

test.each(reference.encode)('encodes $text like the reference', ({ text, ids }) => {
  expect(tokenizer.encode(text)).toEqual(ids);
  expect(tokenizer.decode(ids, { cleanSpaces: false })).toBe(text);
});

test('text never becomes a special token, unlike in the reference', () => {
  const injecting = reference.encode.filter((entry) => entry.reference_ids !== undefined);
  expect(injecting.length).toBeGreaterThanOrEqual(4);
  for (const { text, reference_ids } of injecting) {
    expect(reference_ids!.some((id) => tokenizer.isSpecial(id))).toBe(true);
    expect(tokenizer.encode(text).some((id) => tokenizer.isSpecial(id))).toBe(false);
  }
});

test('text never becomes a special token that is also in the vocabulary of the model', () => {
  const json = JSON.parse(readFixture('tokenizer.json'));
  const id = json.model.vocab.Question;
  json.added_tokens.push({ id, content: 'Question', special: true });
  const ids = new Tokenizer(json).encode('Question');
  expect(ids).not.toContain(id);
  expect(new Tokenizer(json).decode(ids)).toBe('Question');
});

test('added tokens that are not special are normal tokens', () => {
  const json = JSON.parse(readFixture('tokenizer.json'));
  json.added_tokens.push({ id: 470, content: '<box>', special: false });
  const extended = new Tokenizer(json);
  expect(extended.encode('a<box>b')).toContain(470);
  expect(extended.decode([470])).toBe('<box>');
  expect(extended.vocabSize).toBe(471);
});

test.each(reference.decode)('decodes $ids like the reference', ({ ids, text, text_with_special }) => {
  expect(tokenizer.decode(ids, { cleanSpaces: false })).toBe(text);
  expect(tokenizer.decode(ids, { cleanSpaces: false, keepSpecial: true })).toBe(text_with_special);
});

test('decoding cleans up spaces if the config says so, like the reference', () => {
  const config = { clean_up_tokenization_spaces: true };
  const oracle = new Package(JSON.parse(readFixture('tokenizer.json')), config);
  const ids = tokenizer.encode("Well , it 's here . We do n't know ! Why ? ' ' they 're I 'm we 've  . ' ,");
  expect(tokenizer.decode(ids)).toBe(oracle.decode(ids));
  expect(tokenizer.decode(ids)).toContain("Well, it's here. We don't know! Why?");
  const asWritten = new Tokenizer(readFixture('tokenizer.json'), { clean_up_tokenization_spaces: false });
  expect(asWritten.decode(ids)).toContain('Well , it');
});

test('an empty list and ids without a token give no text', () => {
  expect(tokenizer.decode([])).toBe('');
  expect(tokenizer.decode([-1, 1e9, Number.NaN, tokenizer.vocabSize])).toBe('');
});

test('tokens have ids and names', () => {
  expect(tokenizer.vocabSize).toBe(465);
  expect(tokenizer.idOf('<|begin_of_text|>')).toBe(461);
  expect(tokenizer.idOf('<|eot_id|>')).toBe(464);
  expect(tokenizer.idOf('no such token')).toBeUndefined();
  expect(tokenizer.decode([464], { keepSpecial: true })).toBe('<|eot_id|>');
  expect(tokenizer.decode([464])).toBe('');
});

test('ids of any well-formed text decode to the text', () => {
  const next = seeded(1);
  const planes = [0x7f, 0x7ff, 0xd800, 0x1ffff];
  for (let round = 0; round < 300; round++) {
    const text = Array.from({ length: next(20) }, () => String.fromCodePoint(next(planes[next(4)]!)))
      .join('')
      .replace(/\p{Surrogate}/gu, ''); // half a surrogate pair is not a character
    expect(tokenizer.decode(tokenizer.encode(text), { cleanSpaces: false })).toBe(text);
  }
});

test('a hostile text does not take quadratic time', () => {
  // CPU time, so that other programs do not count.
  const before = process.cpuUsage();
  for (const piece of [' ', '\n', 'a', '1', "'", '的']) tokenizer.encode(piece.repeat(50_000));
  expect(process.cpuUsage(before).user / 1_000).toBeLessThan(20_000);
});

const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };
const decoder = { type: 'ByteLevel' };
test.each([
  ['not JSON', '{"model":', 'tokenizer.json (9 characters) is not JSON'],
  ['no object', '[]', 'holds no JSON object'],
  ['nothing', null, 'holds no JSON object'],
  ['no model', {}, '"model" of type "BPE"'],
  ['another model', { model: { type: 'Unigram', vocab: [] } }, '"model" of type "BPE"'],
  ['another decoder', { model, decoder: { type: 'Metaspace' } }, '"decoder" of type "ByteLevel"'],
  ['a bad id', { model: { ...model, vocab: { a: -1 } }, decoder }, '"a" has the id -1'],
  ['a huge id', { model, decoder, added_tokens: [{ id: 1e9, content: 'x' }] }, '"x" has the id 1000000000'],
  ['a bad added token', { model, decoder, added_tokens: [{ id: 1 }] }, '{"id":1}'],
  ['a bad pre-tokenizer', { model, decoder, pre_tokenizer: { type: 'Nope' } }, 'cannot be used'],
])('a tokenizer.json with %s is refused', (_, json, inMessage) => {
  let error: unknown;
  try {
    new Tokenizer(json);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(CogVLM2Error);
  expect((error as CogVLM2Error).code).toBe('invalid_checkpoint');
  expect((error as CogVLM2Error).message).toContain(inMessage);
});
