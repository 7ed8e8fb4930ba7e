import { describe, expect, it } from 'vitest';
import { type Message, readMessages } from '../../src/server/chat/messages.ts';

const user = (content: unknown): Message => ({ role: 'user', content });
const assistant = (content: unknown): Message => ({ role: 'assistant', content });
const system = (content: unknown): Message => ({ role: 'system', content });
const text = (words: string) => ({ type: 'text', text: words });
const image = (url: string) => ({ type: 'image_url', image_url: { url } });

describe('messages as turns', () => {
  it.each<[string, Message[], object]>([
    ['one question', [user('Why?')], { question: 'Why?', history: [] }],
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
      'messages without an answer between are one question',
      [user('One'), user('two')],
      { question: 'One\n\ntwo' },
    ],
    [
      'a system prompt stands before the first question',
      [system('Be brief.'), user('One?'), assistant('1'), user('Two?')],
      { question: 'Two?', history: [{ question: 'Be brief.\n\nOne?', answer: '1' }] },
    ],
    [
      'a developer message in the middle before the question that follows',
      [user('One?'), assistant('1'), { role: 'developer', content: 'In French.' }, user('Two?')],
      { question: 'In French.\n\nTwo?' },
    ],
    [
      'answers after one another are one answer',
      [user('One?'), assistant('1'), assistant([text('and 2')]), user('Two?')],
      { history: [{ question: 'One?', answer: '1\n\nand 2' }] },
    ],
    ['a system prompt and nothing else is the question', [system('Say hello.')], { question: 'Say hello.' }],
    [
      'a system prompt before an answer is what was answered',
      [system('Greet.'), assistant('Hello.'), user('Who are you?')],
      { question: 'Who are you?', history: [{ question: 'Greet.', answer: 'Hello.' }] },
    ],
    [
      'answers of no text, and what an answer refused',
      [
        user('One?'),
        assistant(null),
        user('Two?'),
        assistant([{ type: 'refusal', refusal: 'No.' }]),
        user('3?'),
      ],
      {
        question: '3?',
        history: [
          { question: 'One?', answer: '' },
          { question: 'Two?', answer: 'No.' },
        ],
      },
    ],
    [
      'a picture',
      [user([image('data:x'), text('What?')])],
      { question: 'What?', imageUrl: 'data:x', warnings: [] },
    ],
    [
      "a picture in Ollama's form",
      [user([text('What?'), { type: 'image_url', image_url: 'data:x' }])],
      { imageUrl: 'data:x' },
    ],
    [
      'a picture by itself, then the question',
      [user([image('data:x')]), user('What?')],
      { imageUrl: 'data:x', question: 'What?' },
    ],
    [
      'of several pictures the last, with a warning',
      [user([image('data:1'), text('One?')]), assistant('1'), user([image('data:2'), text('Two?')])],
      { imageUrl: 'data:2', warnings: ['2 pictures are in the messages; the model sees one, the last.'] },
    ],
  ])('%s', (_, messages, expected) => {
    expect(readMessages(messages)).toMatchObject(expected);
  });
});

describe('what is refused', () => {
  it.each<[string, Message[], RegExp]>([
    ['no question', [assistant('1')], /messages\[0\] is an assistant's, but no message with text/],
    ['an answer to be continued', [user('One?'), assistant('1')], /last message must be the user's/],
    ['a picture without words', [user([image('data:x')])], /last message must be the user's and have text/],
    ['white space', [user(' \n ')], /have text/],
    [
      'two pictures in a message',
      [user([image('a'), image('b'), text('?')])],
      /messages\[0\] has 2 pictures/,
    ],
    ["a picture in a system's message", [system([image('a')]), user('?')], /role system and has a picture/],
    ['a tool', [user('?'), { role: 'tool', content: '1' }], /messages\[1\]\.role must be .*got "tool"/],
    ['a role that is none', [{ role: 'robot', content: '1' }], /got "robot"/],
    ['a call of a tool', [user('?'), { ...assistant(null), tool_calls: [{}] }], /tools are not supported/],
    ['no content', [user(null)], /messages\[0\]\.content must be a string or a list/],
    [
      'a part of sound',
      [user([{ type: 'input_audio' }])],
      /messages\[0\]\.content\[0\] must be .*got "input_audio"/,
    ],
    ['a part that is none', [user(['What?'])], /content\[0\] must be .*got "What\?"/],
    ['a picture without an address', [user([{ type: 'image_url', image_url: {} }])], /content\[0\] must be/],
  ])('%s', (_, messages, sentence) => {
    expect(() => readMessages(messages)).toThrow(sentence);
  });

  it('never repeats much of what was sent', () => {
    const long = 'x'.repeat(10_000);
    expect(() => readMessages([{ role: long, content: '' }])).toThrow(/^.{0,250}$/);
  });
});
