/** Reads a form into JSON, and gives up after a minute: npx tsx examples/form-to-json.ts [PICTURE] [FIELD...] */
import { CogVLM2 } from 'cogvlm2';

const [picture = 'examples/pictures/form.png', ...asked] = process.argv.slice(2);
const fields = asked.length > 0 ? asked : ['Team', 'Weight', 'School', 'Date', 'Order'];
const signal = AbortSignal.timeout(60_000);

using model = await CogVLM2.load({ signal });
using image = await model.encodeImage(picture, { signal });
const form: Record<string, string> = {};
for (const field of fields) {
  const question = `What is the ${field.toLowerCase()}?`;
  const { text, finishReason } = await model.ask(image, question, { maxTokens: 32, signal }).result();
  if (finishReason === 'aborted') break;
  form[field] = text;
}
console.log(JSON.stringify(form, null, 2));
