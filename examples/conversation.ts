/** A conversation about one image; each turn knows the earlier turns: npx tsx examples/conversation.ts */
import { CogVLM2 } from 'cogvlm2';

using model = await CogVLM2.load();
const conversation = model.chat('examples/images/cafe-receipt.png');
try {
  for (const question of ['How much is the Croissant?', 'What is the total?']) {
    console.log(`> ${question}`);
    const answer = conversation.ask(question, { maxTokens: 100 });
    for await (const piece of answer.text()) process.stdout.write(piece);
    process.stdout.write('\n');
  }
  console.error(`${conversation.history.length} turns`);
} finally {
  conversation.dispose();
}
