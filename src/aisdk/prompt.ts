/**
 * Converts the AI SDK's messages to the turns that the model was trained on: questions and answers about at most one image. The
 * rules are those of the server: a system message goes in front of the question that follows it, of several images the
 * last is used, an image without text is described, and calls and results of tools are text. Nothing is dropped silently.
 */
import {
  InvalidPromptError,
  type LanguageModelV3FilePart,
  type LanguageModelV3Prompt,
  type LanguageModelV3ToolResultPart,
  type SharedV3Warning,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider';
import { imageQuestion } from '../generate/types.ts';
import type { ImageSource, Turn } from '../index.ts';

export interface ChatPrompt {
  question: string;
  history: Turn[];
  image: ImageSource | null;
  warnings: SharedV3Warning[];
}

type Message = LanguageModelV3Prompt[number];
type Part = Exclude<Message['content'], string>[number];

/** @throws InvalidPromptError, UnsupportedFunctionalityError */
export function readPrompt(prompt: LanguageModelV3Prompt): ChatPrompt {
  const history: Turn[] = [];
  const images: ImageSource[] = [];
  const warnings: SharedV3Warning[] = [];
  /** The texts since the last answer, and whether an image came with them. */
  let pending: string[] = [];
  let hasPendingImage = false;
  const takeQuestion = (): string | null => {
    if (pending.length === 0 && hasPendingImage) pending.push(imageQuestion(textsOf(prompt)));
    const question = pending.length === 0 ? null : pending.join('\n\n');
    pending = [];
    hasPendingImage = false;
    return question;
  };
  for (const message of prompt) {
    const texts: string[] = [];
    for (const part of typeof message.content === 'string' ? [] : message.content) {
      if (part.type === 'file') {
        images.push(imageOf(part));
        hasPendingImage = true;
      } else if (part.type === 'reasoning') {
        warnings.push({ type: 'unsupported', feature: 'reasoning parts' });
      } else texts.push(textOf(part));
    }
    const text = typeof message.content === 'string' ? message.content : texts.join('\n');
    if (message.role !== 'assistant') {
      if (text.trim() !== '') pending.push(text);
      continue;
    }
    const question = takeQuestion();
    const last = history.at(-1);
    if (question !== null) history.push({ question, answer: text });
    else if (last) last.answer = `${last.answer}\n\n${text}`;
    else throw invalid(prompt, 'An answer of the assistant follows no question with text.');
  }
  const question = takeQuestion();
  if (question === null) throw invalid(prompt, 'The last message must be a question.');
  if (images.length > 1) {
    const message = `${images.length} images are in the prompt; the model sees one, the last.`;
    warnings.push({ type: 'other', message });
  }
  return { question, history, image: images.at(-1) ?? null, warnings };
}

function textOf(part: Part): string {
  switch (part.type) {
    case 'text':
      return part.text;
    case 'tool-call':
      return `${part.toolName}(${JSON.stringify(part.input)})`;
    case 'tool-result':
      return `Result of ${part.toolName}: ${resultText(part)}`;
    default:
      throw new UnsupportedFunctionalityError({ functionality: `${part.type} parts` });
  }
}

function resultText({ output }: LanguageModelV3ToolResultPart): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value;
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value);
    case 'execution-denied':
      return output.reason ?? 'denied';
    default:
      return output.value
        .map((item) => {
          if (item.type === 'text') return item.text;
          throw new UnsupportedFunctionalityError({ functionality: `tool results with ${item.type}` });
        })
        .join('\n');
  }
}

function textsOf(prompt: LanguageModelV3Prompt): string[] {
  return prompt.flatMap(({ content }) =>
    typeof content === 'string'
      ? [content]
      : content.flatMap((part) => (part.type === 'text' ? [part.text] : [])),
  );
}

/** Bytes, base64, or a data URL; the SDK fetches other addresses itself. Never the path of a file. */
function imageOf({ data, mediaType }: LanguageModelV3FilePart): ImageSource {
  if (!mediaType.startsWith('image/')) {
    throw new UnsupportedFunctionalityError({ functionality: `files of the type ${mediaType}` });
  }
  if (data instanceof Uint8Array) return data;
  if (typeof data === 'string') return Buffer.from(data, 'base64');
  if (data.protocol === 'data:') return data.href;
  throw new UnsupportedFunctionalityError({ functionality: `images at ${data.protocol} addresses` });
}

function invalid(prompt: LanguageModelV3Prompt, message: string): InvalidPromptError {
  return new InvalidPromptError({ prompt, message });
}
