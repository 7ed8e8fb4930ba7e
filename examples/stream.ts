/** Streams the answer, with the progress before it: npx tsx examples/stream.ts [IMAGE] [QUESTION] */
import { CogVLM2, type Progress } from 'cogvlm2';

const [image = 'examples/images/cafe-receipt.png', question = 'What is the name of the shop?'] =
  process.argv.slice(2);

const show = ({ stage, done, total }: Progress) =>
  process.stderr.write(`${stage} ${Math.round((100 * done) / total)}%\n`);

using model = await CogVLM2.load({ onProgress: show });
for await (const event of model.ask(image, question)) {
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
