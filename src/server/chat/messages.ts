/**
 * OpenAI's messages as what the model was trained on: turns of question and answer about at most one picture, which
 * stands before all text. The model knows no system prompt, so a system message goes in front of the question that
 * follows it, or is the question where none does. Nothing is left out in silence: what cannot be used is refused, or told in `warnings`.
 */
import { z } from 'zod';
import type { Turn } from '../../index.ts';
import { ApiError } from '../api-error.ts';

export interface ChatPrompt {
  question: string;
  history: Turn[];
  imageUrl: string | null;
  warnings: string[];
}

export const messageSchema = z.looseObject({ role: z.string(), content: z.unknown().optional() });
export type Message = z.output<typeof messageSchema>;

interface Content {
  text: string;
  images: string[];
}

/** @throws ApiError invalid_value, unsupported */
export function readMessages(messages: readonly Message[]): ChatPrompt {
  const history: Turn[] = [];
  const images: string[] = [];
  const warnings: string[] = [];
  let asked: string[] = [];
  for (const [i, message] of messages.entries()) {
    const at = `messages[${i}]`;
    const { role } = message;
    if (role === 'assistant') {
      const answer = readContent(message, at).text;
      const last = history.at(-1);
      if (asked.length > 0) history.push({ question: asked.join('\n\n'), answer });
      else if (last) last.answer = `${last.answer}\n\n${answer}`;
      else throw wrong(at, `${at} is an assistant's, but no message with text stands before it.`);
      asked = [];
    } else if (role === 'user' || role === 'system' || role === 'developer') {
      const content = readContent(message, at);
      images.push(...content.images);
      if (content.text.trim() === '') continue;
      asked.push(content.text);
    } else {
      throw wrong(
        `${at}.role`,
        `${at}.role must be system, developer, user or assistant; got ${shown(role)}.`,
        role === 'tool' || role === 'function' ? 'unsupported' : 'invalid_value',
      );
    }
  }
  if (asked.length === 0)
    throw wrong('messages', "The last message must be the user's and have text: it is what is answered.");
  if (images.length > 1) {
    warnings.push(`${images.length} pictures are in the messages; the model sees one, the last.`);
  }
  return { question: asked.join('\n\n'), history, imageUrl: images.at(-1) ?? null, warnings };
}

/** A string, or parts: texts are joined in their order. */
function readContent(message: Message, at: string): Content {
  const { content, role } = message;
  if (message.tool_calls !== undefined || message.function_call !== undefined) {
    throw wrong(`${at}.tool_calls`, `${at} calls a tool; tools are not supported here.`, 'unsupported');
  }
  if (typeof content === 'string') return { text: content, images: [] };
  // As OpenAI's own answers have it where there is no text.
  if (role === 'assistant' && (content === null || content === undefined)) return { text: '', images: [] };
  if (!Array.isArray(content)) {
    throw wrong(`${at}.content`, `${at}.content must be a string or a list of parts; got ${shown(content)}.`);
  }
  const texts: string[] = [];
  const images: string[] = [];
  for (const [j, part] of content.entries()) {
    const where = `${at}.content[${j}]`;
    const parsed = partSchema.safeParse(part);
    if (!parsed.success) {
      const type: unknown = typeof part === 'object' && part !== null ? Reflect.get(part, 'type') : part;
      throw wrong(
        where,
        `${where} must be {"type":"text","text":"..."} or {"type":"image_url","image_url":{"url":"..."}}; got ${shown(type)}.`,
      );
    }
    if (parsed.data.type === 'text') texts.push(parsed.data.text);
    else if (parsed.data.type === 'refusal') texts.push(parsed.data.refusal);
    else images.push(urlOf(parsed.data.image_url));
  }
  if (images.length > 0 && role !== 'user') {
    throw wrong(at, `${at} is of the role ${role} and has a picture; only a user message can have one.`);
  }
  if (images.length > 1) {
    throw wrong(
      at,
      `${at} has ${images.length} pictures; the model was trained on one in a conversation. Send one.`,
    );
  }
  return { text: texts.join('\n'), images };
}

const partSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({ type: z.literal('refusal'), refusal: z.string() }),
  z.looseObject({
    type: z.literal('image_url'),
    image_url: z.union([z.string(), z.looseObject({ url: z.string() })]),
  }),
]);

function urlOf(image: string | { url: string }): string {
  return typeof image === 'string' ? image : image.url;
}

function wrong(
  param: string,
  message: string,
  code: 'invalid_value' | 'unsupported' = 'invalid_value',
): ApiError {
  return new ApiError(code, message, { param });
}

/** A value in a message: as JSON, and never much of it. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
