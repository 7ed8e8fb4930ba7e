/** The model with the functions of the Vercel AI SDK, in this process: npx tsx examples/ai-sdk.ts [PICTURE] */
import { readFile } from 'node:fs/promises';
import { generateObject, streamText, type UserModelMessage } from 'ai';
import { CogVLM2 } from 'cogvlm2';
import { cogvlm2 } from 'cogvlm2/ai-sdk';
import { z } from 'zod';

const [picture = 'examples/images/receipt.png'] = process.argv.slice(2);
const image = await readFile(picture);
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

const schema = z.object({ shop: z.string().max(12), total: z.number().min(0) });
const { object, usage } = await generateObject({ model, schema, messages: ask('What does it say?') });
console.log(JSON.stringify(object));
console.error(`${usage.inputTokens} tokens in, ${usage.outputTokens} out`);
