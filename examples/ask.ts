/** Asks a picture one question: npx tsx examples/ask.ts [PICTURE] [QUESTION] */
import { CogVLM2 } from 'cogvlm2';

const [picture = 'examples/images/receipt.png', question = 'What is the total?'] = process.argv.slice(2);

using model = await CogVLM2.load();
const answer = await model.ask(picture, question).result();
console.log(answer.text);
