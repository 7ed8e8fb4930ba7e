/** A conversation about one picture, each turn with the turns before it: npx tsx examples/conversation.ts */
import { CogVLM2 } from 'cogvlm2';

using model = await CogVLM2.load();
const conversation = model.chat('examples/images/bar-chart.png');
try {
  for (const question of ['What is in the picture?', 'What is the value of DUM?']) {
    console.log(`> ${question}`);
    const answer = conversation.ask(question, { maxTokens: 100 });
    for await (const piece of answer.text()) process.stdout.write(piece);
    process.stdout.write('\n');
  }
  console.error(`${conversation.history.length} turns`);
} finally {
  conversation.dispose();
}
