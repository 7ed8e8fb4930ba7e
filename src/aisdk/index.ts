/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/** What `cogvlm2/ai-sdk` exports: a loaded model for the functions of the Vercel AI SDK (the package `ai`, version 6). */
export { cogvlm2 } from './language-model.ts';
