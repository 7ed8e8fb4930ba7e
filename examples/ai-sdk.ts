/** The model with the functions of the Vercel AI SDK, in this process: npx tsx examples/ai-sdk.ts [IMAGE] */
import { readFile } from 'node:fs/promises';
import { generateText, streamText, type UserModelMessage } from 'ai';
import { CogVLM2 } from 'cogvlm2';
import { cogvlm2 } from 'cogvlm2/ai-sdk';

const [file = 'examples/images/cafe-receipt.png'] = process.argv.slice(2);
const image = await readFile(file);
const ask = (text: string): UserModelMessage[] => [
  {
    role: 'user',
    content: [
      { type: 'image', image },
      { type: 'text', text },
    ],
  },
];

using loaded = await CogVLM2.load();
const model = cogvlm2(loaded);
const { textStream } = streamText({ model, messages: ask('What is the total?'), maxOutputTokens: 100 });
for await (const piece of textStream) process.stdout.write(piece);
process.stdout.write('\n');

const { text, usage } = await generateText({ model, messages: ask('What is the name of the shop?') });
console.log(text);
console.error(`${usage.inputTokens} tokens in, ${usage.outputTokens} out`);
