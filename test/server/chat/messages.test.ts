import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../src/server/api-error.ts';
import { FieldCheck, type JsonObject } from '../../../src/server/chat/fields.ts';
import { readMessages } from '../../../src/server/chat/messages.ts';

const user = (content: unknown, more = {}): JsonObject => ({ role: 'user', content, ...more });
const assistant = (content: unknown, more = {}): JsonObject => ({ role: 'assistant', content, ...more });
const system = (content: unknown): JsonObject => ({ role: 'system', content });
const text = (words: string) => ({ type: 'text', text: words });
const image = (url: string) => ({ type: 'image_url', image_url: { url } });
const call = (id: string, name: string, given: unknown) => ({
  id,
  type: 'function',
  function: { name, arguments: given },
});

function read(messages: JsonObject[], continueLast = false) {
  const fields = new FieldCheck();
  const labelled = messages.map((message, i) => ({ at: `messages[${i}]`, message }));
  const rules = { continueLast, imagePrompt: () => 'Describe this image.' };
  return { ...readMessages(labelled, rules, fields), warnings: fields.warnings };
}

describe('messages as turns', () => {
  it.each<[string, JsonObject[], object]>([
    ['one question', [user('Why?')], { question: 'Why?', history: [], answerStart: '' }],
    [
      'turns in order',
      [user('One?'), assistant('1'), user('Two?'), assistant('2'), user('Three?')],
      {
        question: 'Three?',
        history: [
          { question: 'One?', answer: '1' },
          { question: 'Two?', answer: '2' },
        ],
      },
    ],
    ['parts of text are joined', [user([text('One'), text('two')])], { question: 'One\ntwo' }],
    [
      'messages without an answer between them are one question',
      [user('One'), user('two')],
      { question: 'One\n\ntwo' },
    ],
    [
      'a system prompt comes before the first question',
      [system('Be brief.'), user('One?'), assistant('1'), user('Two?')],
      { question: 'Two?', history: [{ question: 'Be brief.\n\nOne?', answer: '1' }] },
    ],
    [
      'a developer message in the middle comes before the next question',
      [user('One?'), assistant('1'), { role: 'developer', content: 'In French.' }, user('Two?')],
      { question: 'In French.\n\nTwo?' },
    ],
    [
      'consecutive answers are one answer',
      [user('One?'), assistant('1'), assistant([text('and 2')]), user('Two?')],
      { history: [{ question: 'One?', answer: '1\n\nand 2' }] },
    ],
    [
      'a system prompt without other messages is the question',
      [system('Say hello.')],
      { question: 'Say hello.' },
    ],
    [
      'a system prompt before an answer is the question of the answer',
      [system('Greet.'), assistant('Hello.'), user('Who are you?')],
      { question: 'Who are you?', history: [{ question: 'Greet.', answer: 'Hello.' }] },
    ],
    [
      'answers without text, and refusals',
      [
        user('One?'),
        assistant(null),
        user('Two?'),
        assistant([{ type: 'refusal', refusal: 'No.' }]),
        user('3?'),
        assistant(null, { refusal: 'Never.' }),
        user('4?'),
      ],
      {
        question: '4?',
        history: [
          { question: 'One?', answer: '' },
          { question: 'Two?', answer: 'No.' },
          { question: '3?', answer: 'Never.' },
        ],
      },
    ],
    [
      'an image',
      [user([image('data:x'), text('What?')])],
      { question: 'What?', visual: { type: 'image', url: 'data:x' }, warnings: [] },
    ],
    [
      'an image with a string as its URL',
      [user([text('What?'), { type: 'image_url', image_url: 'data:x' }])],
      { visual: { type: 'image', url: 'data:x' } },
    ],
    [
      'an image beside the text, in the format of Ollama',
      [user('What?', { images: ['iVBORw0KGgo='] })],
      { question: 'What?', visual: { type: 'image', url: 'data:;base64,iVBORw0KGgo=' } },
    ],
    [
      'an image in its own message, then the question',
      [user([image('data:x')]), user('What?')],
      { visual: { type: 'image', url: 'data:x' }, question: 'What?' },
    ],
    [
      'an image without text',
      [user([image('data:x')])],
      { visual: { type: 'image', url: 'data:x' }, question: 'Describe this image.' },
    ],
    [
      'an image without text that was answered before',
      [user([image('data:x')]), assistant('A receipt.'), user('What is the total?')],
      {
        visual: { type: 'image', url: 'data:x' },
        question: 'What is the total?',
        history: [{ question: 'Describe this image.', answer: 'A receipt.' }],
      },
    ],
    [
      'an image without text after a system prompt, which is the question',
      [system('Read all text.'), user([image('data:x')])],
      { visual: { type: 'image', url: 'data:x' }, question: 'Read all text.' },
    ],
    [
      'the last of several images, with a warning',
      [user([image('data:1'), text('One?')]), assistant('1'), user([image('data:2'), text('Two?')])],
      {
        visual: { type: 'image', url: 'data:2' },
        warnings: ['2 images are in the messages; the model sees one, the last.'],
      },
    ],
    [
      'calls of tools and their results',
      [
        user('Weather in Oslo?'),
        assistant(null, { tool_calls: [call('c1', 'weather', '{"city":"Oslo"}')] }),
        { role: 'tool', tool_call_id: 'c1', content: '3 degrees' },
      ],
      {
        question: 'Result of weather: 3 degrees',
        history: [{ question: 'Weather in Oslo?', answer: 'weather({"city":"Oslo"})' }],
      },
    ],
    [
      'an empty answer at the end, which the new one replaces',
      [user('Why?'), assistant('')],
      { question: 'Why?', history: [], answerStart: '' },
    ],
    [
      'a name, which is ignored with a warning',
      [user('Why?', { name: 'Ann' })],
      { warnings: ['messages[0].name was ignored: it is not supported here'] },
    ],
  ])('%s', (_, messages, expected) => {
    expect(read(messages)).toMatchObject(expected);
  });

  it('reads an answer to continue', () => {
    expect(read([user('One?'), assistant('1'), user('Two?'), assistant('The')], true)).toMatchObject({
      question: 'Two?',
      history: [{ question: 'One?', answer: '1' }],
      answerStart: 'The',
    });
  });
});

describe('wrong messages', () => {
  it.each<[string, JsonObject[], RegExp]>([
    ['no question', [assistant('1')], /messages\[0\] is an assistant's, but no message with text/],
    ['an answer at the end', [user('One?'), assistant('1')], /Send continue_final_message true/],
    ['white space', [user(' \n ')], /nothing to answer/],
    ['two images in a message', [user([image('a'), image('b'), text('?')])], /messages\[0\] has 2 images/],
    ["an image in a system's message", [system([image('a')]), user('?')], /role "system" and has an image/],
    ['an unknown role', [{ role: 'robot', content: '1' }], /messages\[0\]\.role must be .*got "robot"/],
    ['no role', [{ content: '1' }], /messages\[0\]\.role must be .*got nothing/],
    [
      'a call without a function',
      [user('?'), assistant(null, { tool_calls: [{}] }), user('?')],
      /tool_calls\[0\] must be/,
    ],
    ['no content', [user(null)], /messages\[0\]\.content must be a string or a list/],
    [
      'a part of sound',
      [user([{ type: 'input_audio' }])],
      /messages\[0\]\.content\[0\] must be .*got "input_audio"/,
    ],
    ['an invalid part', [user(['What?'])], /content\[0\] must be .*got "What\?"/],
    ['an image without an address', [user([{ type: 'image_url', image_url: {} }])], /content\[0\] must be/],
    ['invalid images', [user('?', { images: [1] })], /messages\[0\]\.images must be a list of base64/],
    [
      'a list of attachments',
      [user('?', { attachments: [{}] })],
      /^messages\[0\]\.attachments is not .*image_url/,
    ],
    [
      'an image in a part of text',
      [user([{ ...text('?'), image_url: 'x' }])],
      /content\[0\]\.image_url is not/,
    ],
  ])('%s: refused', (_, messages, sentence) => {
    expect(() => read(messages)).toThrow(sentence);
  });

  it('a question at the end with continue_final_message is refused', () => {
    expect(() => read([user('One?')], true)).toThrow(/continue_final_message is true, but/);
  });

  it('the error does not repeat long input', () => {
    const long = 'x'.repeat(10_000);
    expect(() => read([{ role: long, content: '' }])).toThrow(/^.{0,250}$/);
    expect(() => read([user('?', { [`image_${long}`]: 1 })])).toThrow(ApiError);
    expect(() => read([user('?', { [`image_${long}`]: 1 })])).toThrow(/^.{0,350}$/);
  });
});
