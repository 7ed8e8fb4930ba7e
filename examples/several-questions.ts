/** Encodes a picture once and asks it often: npx tsx examples/several-questions.ts */
import { CogVLM2 } from 'cogvlm2';

const questions = ['What is the total?', 'What is the date?', 'What is the tax?'];

using model = await CogVLM2.load();
using image = await model.encodeImage('examples/images/receipt.png');
console.error(`${image.width} x ${image.height} pixels are ${image.imageTokens} tokens.`);
for (const question of questions) {
  const { text, usage } = await model.ask(image, question).result();
  // From the second question on, the picture's rows are still in the cache.
  console.error(`${usage.cachedTokens} of ${usage.promptTokens} tokens were in the cache.`);
  console.log(`${question} ${text}`);
}
