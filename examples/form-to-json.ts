/** Reads a form into JSON of a known type, within a minute: npx tsx examples/form-to-json.ts [PICTURE] */
import { CogVLM2 } from 'cogvlm2';
import { z } from 'zod';

const [picture = 'examples/pictures/form.png'] = process.argv.slice(2);
const Form = z.object({
  team: z.string().max(24),
  weight: z.int().min(0).max(99_999),
  school: z.string().max(24),
  date: z.iso.date(),
  order: z.string().regex(/^[A-Z]{1,4}-\d{1,6}$/),
});
const signal = AbortSignal.timeout(60_000);

using model = await CogVLM2.load({ signal });
const { value, usage } = await model.extract(picture, Form, { question: 'What is in the form?', signal });
console.error(`${usage.promptTokens} tokens in, ${usage.completionTokens} out`);
console.log(JSON.stringify(value, null, 2));
