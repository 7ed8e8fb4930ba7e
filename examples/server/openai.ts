/** Asks a running server with OpenAI's own client: npx tsx examples/server/openai.ts [PICTURE] [QUESTION] */
import { readFile } from 'node:fs/promises';
import OpenAI from 'openai';

const [picture = 'examples/images/receipt.png', text = 'What is the total?'] = process.argv.slice(2);
const { COGVLM2_URL = 'http://127.0.0.1:8000', COGVLM2_API_KEY = 'none' } = process.env;

const client = new OpenAI({ baseURL: `${COGVLM2_URL}/v1`, apiKey: COGVLM2_API_KEY });
const url = `data:image/png;base64,${await readFile(picture, 'base64')}`;
const stream = client.chat.completions.stream({
  model: 'default',
  max_tokens: 200,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text },
        { type: 'image_url', image_url: { url } },
      ],
    },
  ],
});
stream.on('content', (piece) => process.stdout.write(piece));
await stream.finalChatCompletion();
process.stdout.write('\n');
