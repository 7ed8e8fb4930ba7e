/** Writes the answer as it comes, and before that how far the work is: npx tsx examples/stream.ts [PICTURE] [QUESTION] */
import { CogVLM2, type Progress } from 'cogvlm2';

const [picture = 'examples/images/receipt.png', question = 'What is in the picture?'] = process.argv.slice(2);

const show = ({ stage, done, total }: Progress) =>
  process.stderr.write(`${stage} ${Math.round((100 * done) / total)}%\n`);

using model = await CogVLM2.load({ onProgress: show });
for await (const event of model.ask(picture, question)) {
  if (event.type === 'progress') show(event.progress);
  else if (event.type === 'text') process.stdout.write(event.text);
  else {
    const { usage, timings } = event.answer;
    process.stdout.write('\n');
    console.error(
      `${usage.promptTokens} tokens in, ${usage.completionTokens} out, the first after ${Math.round(timings.firstTokenMs)} ms`,
    );
  }
}
