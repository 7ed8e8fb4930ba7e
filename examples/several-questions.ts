/** Encodes an image once and asks several questions: npx tsx examples/several-questions.ts */
import { CogVLM2 } from 'cogvlm2';

const questions = ['What is the order?', 'What is the date?', 'How many chairs?'];

using model = await CogVLM2.load();
using image = await model.encodeImage('examples/images/delivery-note.png');
console.error(`${image.width} x ${image.height} pixels are ${image.imageTokens} tokens.`);
for (const question of questions) {
  const { text, usage } = await model.ask(image, question).result();
  // From the second question on, the image's rows are in the prefix cache.
  console.error(`${usage.cachedTokens} of ${usage.promptTokens} tokens were in the cache.`);
  console.log(`${question} ${text}`);
}
