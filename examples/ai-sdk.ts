/** The model with the functions of the Vercel AI SDK, in this process: npx tsx examples/ai-sdk.ts [PICTURE] */
import { readFile } from 'node:fs/promises';
import { generateText, Output, streamText } from 'ai';
import { CogVLM2 } from 'cogvlm2';
import { cogvlm2 } from 'cogvlm2/ai-sdk';
import { z } from 'zod';

const [picture = 'examples/pictures/receipt.png'] = process.argv.slice(2);
const image = await readFile(picture);
const ask = (text: string) => [
  {
    role: 'user' as const,
    content: [
      { type: 'image' as const, image },
      { type: 'text' as const, text },
    ],
  },
];

using loaded = await CogVLM2.load();
const model = cogvlm2(loaded);
const { textStream } = streamText({ model, messages: ask('What is the total?') });
for await (const piece of textStream) process.stdout.write(piece);
process.stdout.write('\n');

const receipt = z.object({ shop: z.string().max(24), total: z.number().min(0) });
const { output, usage } = await generateText({
  model,
  messages: ask('What does the receipt say?'),
  output: Output.object({ schema: receipt }),
});
console.log(JSON.stringify(output));
console.error(`${usage.inputTokens} tokens in, ${usage.outputTokens} out`);
