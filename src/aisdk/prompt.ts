/**
 * The AI SDK's messages as what the model was trained on: turns of question and answer about at most one picture.
 * The rules are those of the server: a system message goes in front of the question that follows it, and of several
 * pictures the last is used. Nothing is left out in silence.
 */
import {
  InvalidPromptError,
  type LanguageModelV3FilePart,
  type LanguageModelV3Prompt,
  type SharedV3Warning,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider';
import type { ImageSource, Turn } from '../index.ts';

export interface ChatPrompt {
  question: string;
  history: Turn[];
  image: ImageSource | null;
  warnings: SharedV3Warning[];
}

/** @throws InvalidPromptError, UnsupportedFunctionalityError */
export function readPrompt(prompt: LanguageModelV3Prompt): ChatPrompt {
  const history: Turn[] = [];
  const images: ImageSource[] = [];
  let asked: string[] = [];
  for (const message of prompt) {
    if (message.role === 'tool') throw new UnsupportedFunctionalityError({ functionality: 'tool messages' });
    const texts: string[] = [];
    for (const part of typeof message.content === 'string' ? [] : message.content) {
      if (part.type === 'text') texts.push(part.text);
      else if (part.type === 'file') images.push(imageOf(part));
      else throw new UnsupportedFunctionalityError({ functionality: `${part.type} parts` });
    }
    const text = typeof message.content === 'string' ? message.content : texts.join('\n');
    if (message.role !== 'assistant') {
      if (text.trim() !== '') asked.push(text);
      continue;
    }
    const last = history.at(-1);
    if (asked.length > 0) history.push({ question: asked.join('\n\n'), answer: text });
    else if (last) last.answer = `${last.answer}\n\n${text}`;
    else throw invalid(prompt, 'An answer of the assistant follows no question with text.');
    asked = [];
  }
  if (asked.length === 0) throw invalid(prompt, 'The last message must be a question with text.');
  const unseen = `${images.length} pictures are in the prompt; the model sees one, the last.`;
  return {
    question: asked.join('\n\n'),
    history,
    image: images.at(-1) ?? null,
    warnings: images.length > 1 ? [{ type: 'other', message: unseen }] : [],
  };
}

/** Bytes, base64, or a data URL; the SDK fetches other addresses itself. Never the path of a file. */
function imageOf({ data, mediaType }: LanguageModelV3FilePart): ImageSource {
  if (!mediaType.startsWith('image/')) {
    throw new UnsupportedFunctionalityError({ functionality: `files of the type ${mediaType}` });
  }
  if (data instanceof Uint8Array) return data;
  if (typeof data === 'string') return Buffer.from(data, 'base64');
  if (data.protocol === 'data:') return data.href;
  throw new UnsupportedFunctionalityError({ functionality: `pictures at ${data.protocol} addresses` });
}

function invalid(prompt: LanguageModelV3Prompt, message: string): InvalidPromptError {
  return new InvalidPromptError({ prompt, message });
}
