/** Reads a form into an object of a known type, one question per field: npx tsx examples/form-to-json.ts [IMAGE] */
import { CogVLM2 } from 'cogvlm2';
import { z } from 'zod';

const [image = 'examples/images/form.png'] = process.argv.slice(2);
const Form = z.object({
  team: z.string().max(24),
  weight: z.int().min(0).max(99_999),
  school: z.string().max(24),
  date: z.iso.date(),
  order: z.string().regex(/^[A-Z]{1,4}-\d{1,6}$/),
});
const signal = AbortSignal.timeout(60_000);

using model = await CogVLM2.load({ signal });
const { value, answers } = await model.extractFields(image, Form, { signal });
console.error(`${Object.keys(answers).length} questions about one encoded image`);
console.log(JSON.stringify(value, null, 2));
