// @ts-nocheck: run.sh installs the imported packages
import OpenAI from 'openai';
import { assert, baseURL, check, dataUrl, question } from './checks.mjs';

const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 });
const model = 'default';
const content = [
  { type: 'text', text: question },
  { type: 'image_url', image_url: { url: dataUrl } },
];
const messages = [{ role: 'user', content }];
const parameters = {
  type: 'object',
  properties: { total: { type: 'number', minimum: 0, maximum: 999 } },
  required: ['total'],
};
const tools = [{ type: 'function', function: { name: 'pay', parameters } }];

await check('image', async () => {
  const { choices } = await client.chat.completions.create({ model, messages, max_tokens: 24 });
  return choices[0].message.content;
});

await check('stream', async () => {
  const runner = client.chat.completions.stream({ model, messages, max_tokens: 24 });
  return (await runner.finalChatCompletion()).choices[0].message.content;
});

await check('structured output', async () => {
  const response_format = { type: 'json_schema', json_schema: { name: 'receipt', schema: parameters } };
  const { choices } = await client.chat.completions.create({
    model,
    messages,
    max_tokens: 60,
    response_format,
  });
  return JSON.parse(choices[0].message.content);
});

await check('tools, whole and streamed', async () => {
  const request = { model, messages, tools, tool_choice: 'required', max_tokens: 60 };
  const whole = (await client.chat.completions.create(request)).choices[0].message.tool_calls[0].function;
  const runner = client.chat.completions.stream(request);
  const streamed = (await runner.finalChatCompletion()).choices[0].message.tool_calls[0].function;
  assert(whole.arguments === streamed.arguments, 'the stream differs');
  return whole;
});

await check('responses, whole and streamed', async () => {
  const input = [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: question },
        { type: 'input_image', image_url: dataUrl, detail: 'auto' },
      ],
    },
  ];
  const request = { model, input, max_output_tokens: 24 };
  const whole = (await client.responses.create(request)).output_text;
  const streamed = (await client.responses.stream(request).finalResponse()).output_text;
  assert(whole === streamed, 'the stream differs');
  return whole;
});

await check('context overflow', async () => {
  const long = [{ role: 'user', content: 'word '.repeat(3000) }];
  const error = await client.chat.completions.create({ model, messages: long }).catch((error) => error);
  assert(error.code === 'context_length_exceeded', String(error));
  return error.code;
});
