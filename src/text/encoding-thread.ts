/** The thread that encodes long texts, with its own tokenizer. */
import { parentPort, workerData } from 'node:worker_threads';
import type { EncodingReply, EncodingRequest, TokenizerSources } from './long-texts.ts';
import { Tokenizer } from './tokenizer.ts';

const { tokenizer, config, modelVocabSize } = workerData as TokenizerSources;
const own = new Tokenizer(tokenizer, config, modelVocabSize);

parentPort?.on('message', ({ id, text }: EncodingRequest) => {
  let reply: EncodingReply;
  try {
    reply = { id, ids: Int32Array.from(own.encode(text)) };
  } catch (error) {
    reply = { id, failure: (error as Error).message };
  }
  parentPort?.postMessage(reply);
});
