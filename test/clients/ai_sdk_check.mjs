// @ts-nocheck: run.sh installs the imported packages
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, Output, streamText, tool } from 'ai';
import { z } from 'zod';
import { baseURL, bytes, check, question } from './checks.mjs';

const openai = createOpenAI({ baseURL, apiKey: 'none' });
const compatible = createOpenAICompatible({ name: 'cogvlm2', baseURL, supportsStructuredOutputs: true });
const models = {
  '@ai-sdk/openai (responses)': openai('default'),
  '@ai-sdk/openai (chat)': openai.chat('default'),
  '@ai-sdk/openai-compatible': compatible('default'),
};
const messages = [
  {
    role: 'user',
    content: [
      { type: 'text', text: question },
      { type: 'image', image: bytes },
    ],
  },
];
const receipt = z.object({ total: z.number().min(0).max(999) });
const weather = tool({
  description: 'Weather of a city',
  inputSchema: z.object({ city: z.enum(['Oslo', 'Lima']) }),
  execute: async () => 'cold',
});

for (const [name, model] of Object.entries(models)) {
  const shared = { model, messages, maxRetries: 0, maxOutputTokens: 60 };
  await check(`${name}, image`, async () => (await generateText(shared)).text);
  await check(`${name}, stream`, async () => {
    let text = '';
    for await (const piece of streamText(shared).textStream) text += piece;
    return text;
  });
  await check(`${name}, structured output`, async () => {
    const { output } = await generateText({ ...shared, output: Output.object({ schema: receipt }) });
    return output;
  });
  await check(`${name}, required tool`, async () => {
    const { toolCalls, toolResults } = await generateText({
      ...shared,
      tools: { weather },
      toolChoice: 'required',
    });
    return [toolCalls[0].input, toolResults[0].output];
  });
  await check(`${name}, required tool, streamed`, async () => {
    const result = streamText({ ...shared, tools: { weather }, toolChoice: 'required' });
    await result.consumeStream();
    return (await result.toolCalls)[0].input;
  });
  await check(`${name}, tools without tool_choice`, async () => {
    const { text } = await generateText({ ...shared, tools: { weather } });
    return text;
  });
}
