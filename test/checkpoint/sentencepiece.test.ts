import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { tokenizerJsonOf } from '../../src/checkpoint/sentencepiece.ts';
import { Detokenizer } from '../../src/text/detokenizer.ts';
import { Tokenizer } from '../../src/text/tokenizer.ts';
import { readFixture } from '../text/fixtures.ts';
import { caught } from './caught.ts';

interface Case {
  text: string;
  ids: number[];
}

const modelFile = new URL('../fixtures/text/sentencepiece.model', import.meta.url);
const model = readFileSync(modelFile);
const trained: { cases: Case[] } = JSON.parse(readFixture('sentencepiece.json'));
const vicunaCases: Case[] = JSON.parse(readFixture('vicuna-ids.json'));
const vicuna = new Tokenizer(readFixture('vicuna-tokenizer.json'));

describe('tokenizer.model', () => {
  const tokenizer = new Tokenizer(tokenizerJsonOf(model, 'tokenizer.model'));

  test.each(trained.cases)('gives the ids of SentencePiece for $text', ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text.replaceAll('▁', ' ')); // the mark is decoded to a space, also if it was in the text
  });

  test('control entries are special, and no text is encoded to one', () => {
    expect(['<unk>', '<s>', '</s>'].map((name) => tokenizer.isSpecial(tokenizer.idOf(name)!))).toEqual([
      true,
      true,
      true,
    ]);
    expect(tokenizer.encode('</s><s><unk>').some((id) => tokenizer.isSpecial(id))).toBe(false);
  });

  test.each([
    ['half of a file', model.subarray(0, 5000)],
    ['text', Buffer.from('version https://example.org\n')],
    ['nothing', Buffer.of()],
    ['a vocabulary without its settings', model.subarray(0, model.lastIndexOf('<0xFF>'))],
  ])('%s is refused', (_, bytes) => {
    const error = caught(() => tokenizerJsonOf(bytes, 'here/tokenizer.model'));
    expect(error.code).toBe('invalid_checkpoint');
    expect(error.message).toMatch(/^here\/tokenizer.model is /);
  });
});

describe("Vicuna's tokenizer.json", () => {
  test.each(vicunaCases)('$text', ({ text, ids }) => {
    expect(vicuna.encode(text)).toEqual(ids);
  });

  test('spaces are cleaned up only if the config says so', () => {
    expect(vicuna.cleansSpaces).toBe(false);
    expect(vicuna.decode(vicuna.encode('a cat .'))).toBe('a cat .');
  });

  test('a character of several byte tokens is shown when it is complete, and the first space is kept', () => {
    const ids = vicuna.encode('A \u{1F600} picture');
    expect(ids.length).toBeGreaterThan(4);
    const detokenizer = new Detokenizer(vicuna);
    const pieces = ids.map((id) => detokenizer.push(id));
    expect(pieces.join('') + detokenizer.flush()).toBe(' A \u{1F600} picture');
    expect(pieces.join('|')).not.toContain('\uFFFD');
  });

  test('added tokens outside the vocabulary of the model are omitted', () => {
    const json = JSON.parse(readFixture('vicuna-tokenizer.json'));
    json.added_tokens.push({ id: 32_000, content: '<image>', special: true });
    expect(new Tokenizer(json, {}, 32_000).vocabSize).toBeLessThanOrEqual(32_000);
    expect(new Tokenizer(json).vocabSize).toBe(32_001);
  });

  test.each([
    ['an entry for a byte is missing', 'no entry <0x7F>'],
    ['the decoder does not know the mark of a space', '"Replace" or "Metaspace"'],
  ])('%s', (what, part) => {
    const json = JSON.parse(readFixture('vicuna-tokenizer.json'));
    if (what.includes('byte')) delete json.model.vocab['<0x7F>'];
    else json.decoder = { type: 'ByteFallback' };
    expect(caught(() => new Tokenizer(json)).message).toContain(part);
  });
});
