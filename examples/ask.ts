/** Asks one question about an image: npx tsx examples/ask.ts [IMAGE] [QUESTION] */
import { CogVLM2 } from 'cogvlm2';

const [image = 'examples/images/cafe-receipt.png', question = 'What is the total?'] = process.argv.slice(2);

using model = await CogVLM2.load();
const answer = await model.ask(image, question).result();
console.log(answer.text);
