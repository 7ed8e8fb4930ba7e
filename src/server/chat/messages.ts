/**
 * Converts OpenAI's messages to the format of the training: turns of question and answer about at most one image or video, which comes
 * before all text. The model was not trained with system prompts. So a system message is put before the next question, or is the
 * question if there is none. Nothing is dropped silently: unsupported content is refused, or named in a warning.
 */
import type { Turn } from '../../index.ts';
import { asDataUrl, beginningOf, type ImageText, isImageText } from '../body/long-string.ts';
import { REQUEST_LIMITS } from '../limits.ts';
import { type FieldCheck, fieldError, isJsonObject, type JsonObject, shown } from './fields.ts';

/** An image or a video of a message. `at` is its path in the request. */
export type Visual =
  | { type: 'image'; url: ImageText }
  | { type: 'video'; at: string; url: ImageText }
  | { type: 'frames'; at: string; frames: readonly { second: number; url: ImageText }[] };

export interface ChatPrompt {
  question: string;
  history: Turn[];
  visual: Visual | null;
  /** The start of the answer, if the last message is an answer to continue. */
  answerStart: string;
}

/** A message, with its path in the request for error messages. */
export interface Message {
  at: string;
  message: JsonObject;
}

export interface MessageRules {
  /** Continue the last message, which must be an answer. */
  continueLast: boolean;
  /** The question about an image or a video without text. */
  imagePrompt: (isVideo: boolean) => string;
}

interface Content {
  text: string;
  visuals: Visual[];
}

/** @throws ApiError invalid_value, unsupported */
export function readMessages(
  messages: readonly Message[],
  { continueLast, imagePrompt }: MessageRules,
  fields: FieldCheck,
): ChatPrompt {
  const history: Turn[] = [];
  const visuals: Visual[] = [];
  const toolNames = new Map<unknown, string>();
  /** The texts since the last answer, and the image or video that came with them. */
  let pending: string[] = [];
  let pendingVisual: Visual | undefined;
  const takeQuestion = (): string | null => {
    if (pending.length === 0 && pendingVisual) pending.push(imagePrompt(pendingVisual.type !== 'image'));
    const question = pending.length === 0 ? null : pending.join('\n\n');
    pending = [];
    pendingVisual = undefined;
    return question;
  };
  for (const { at, message } of messages) {
    const { role } = message;
    const content = readContent(message, at, fields);
    fields.check(message, at, ['role', 'content', ...(MESSAGE_FIELDS[String(role)] ?? [])]);
    if (role === 'assistant') {
      const answer = [content.text, ...readToolCalls(message, at, toolNames)]
        .filter((text) => text !== '')
        .join('\n');
      const question = takeQuestion();
      const last = history.at(-1);
      if (question !== null) history.push({ question, answer });
      else if (last) last.answer = `${last.answer}\n\n${answer}`;
      else throw fieldError(at, `${at} is an assistant's, but no message with text stands before it.`);
    } else if (role === 'tool' || role === 'function') {
      const name = toolNames.get(message.tool_call_id) ?? message.name;
      pending.push(`Result of ${typeof name === 'string' ? name : 'the tool'}: ${content.text}`);
    } else if (role === 'user' || role === 'system' || role === 'developer') {
      visuals.push(...content.visuals);
      pendingVisual = content.visuals.at(-1) ?? pendingVisual;
      if (content.text.trim() !== '') pending.push(content.text);
    } else {
      throw fieldError(
        `${at}.role`,
        `${at}.role must be system, developer, user, assistant or tool; got ${shown(role)}.`,
      );
    }
  }
  if (visuals.length > 1) {
    fields.warn(`${visuals.length} ${namesOf(visuals)} are in the messages; the model sees one, the last.`);
  }
  const visual = visuals.at(-1) ?? null;
  const question = takeQuestion();
  if (question !== null) {
    if (!continueLast) return { question, history, visual, answerStart: '' };
    throw fieldError(
      'continue_final_message',
      "continue_final_message is true, but the last message is not the assistant's.",
    );
  }
  const last = history.pop();
  // The new answer replaces an answer without text.
  if (last && (continueLast || last.answer === '')) {
    return { question: last.question, history, visual, answerStart: last.answer };
  }
  if (last) {
    throw fieldError(
      'messages',
      "The last message is the assistant's. Send continue_final_message true to have it continued, or a question after it.",
    );
  }
  throw fieldError('messages', 'The messages have no text and no image: there is nothing to answer.');
}

/** Other fields than `role` and `content` that are read, or that repeat them in another form. */
const MESSAGE_FIELDS: Partial<Record<string, readonly string[]>> = {
  user: ['images'],
  assistant: ['tool_calls', 'function_call', 'refusal', 'annotations', 'id', 'type', 'status', 'phase'],
  tool: ['tool_call_id', 'name'],
  function: ['name'],
};

/** Reads a string, or parts. Texts are joined in order. */
function readContent(message: JsonObject, at: string, fields: FieldCheck): Content {
  const { content, role } = message;
  const visuals: Visual[] = readOllamaImages(message, at).map((url) => ({ type: 'image', url }));
  const texts: string[] = [];
  if (typeof content === 'string') texts.push(content);
  else if (Array.isArray(content)) {
    for (const [j, part] of content.entries()) {
      const read = readPart(part, `${at}.content[${j}]`, fields);
      if ('text' in read) texts.push(read.text);
      else visuals.push(read.visual);
    }
  } else if (role === 'assistant' && (content === null || content === undefined)) {
    // Like in OpenAI's answers without text.
    if (typeof message.refusal === 'string') texts.push(message.refusal);
  } else if (visuals.length === 0) {
    throw fieldError(
      `${at}.content`,
      `${at}.content must be a string or a list of parts; got ${shown(content)}.`,
    );
  }
  const [first] = visuals;
  if (first && role !== 'user') {
    const what = first.type === 'image' ? 'an image' : 'a video';
    throw fieldError(
      at,
      `${at} is of the role ${shown(role)} and has ${what}; only a user message can have one.`,
    );
  }
  if (visuals.length > 1) {
    throw fieldError(
      at,
      `${at} has ${visuals.length} ${namesOf(visuals)}; the model was trained on one in a conversation. Send one.`,
    );
  }
  return { text: texts.join('\n'), visuals };
}

function namesOf(visuals: readonly Visual[]): string {
  const videos = visuals.filter(({ type }) => type !== 'image').length;
  if (videos === 0) return 'images';
  return videos === visuals.length ? 'videos' : 'images and videos';
}

/** Reads a part of a content, in the format of the chat API or the Responses API. */
function readPart(part: unknown, at: string, fields: FieldCheck): { text: string } | { visual: Visual } {
  const type = isJsonObject(part) ? part.type : part;
  if (isJsonObject(part)) {
    const key = type === 'refusal' ? 'refusal' : 'text';
    const text = part[key];
    if (TEXT_TYPES.has(String(type)) && typeof text === 'string') {
      fields.check(part, at, ['type', key, 'annotations', 'logprobs']);
      return { text };
    }
    if (type === 'image_url' || type === 'input_image') {
      const { image_url: image } = part;
      const url = isJsonObject(image) ? image.url : image;
      if (isImageText(url)) {
        fields.check(part, at, ['type', 'image_url', 'detail']);
        if (isJsonObject(image)) fields.check(image, `${at}.image_url`, ['url', 'detail', 'format']);
        const detail = (isJsonObject(image) ? image.detail : part.detail) ?? 'auto';
        if (detail !== 'auto') fields.warn(`${at}: detail was ignored: every image is read at the same size`);
        return { visual: { type: 'image', url } };
      }
    }
    if (type === 'video_url') {
      const { video_url: video } = part;
      const url = isJsonObject(video) ? video.url : video;
      if (isImageText(url)) {
        fields.check(part, at, ['type', 'video_url']);
        if (isJsonObject(video)) fields.check(video, `${at}.video_url`, ['url']);
        return { visual: { type: 'video', at, url } };
      }
    }
    if (type === 'video_frames' && Array.isArray(part.video_frames)) {
      fields.check(part, at, ['type', 'video_frames']);
      return { visual: { type: 'frames', at, frames: readFrames(part.video_frames, at, fields) } };
    }
  }
  throw fieldError(
    at,
    `${at} must be {"type":"text","text":"..."} or {"type":"image_url","image_url":{"url":"..."}} (for a video model also video_url or video_frames); got ${shown(type)}.`,
  );
}

function readFrames(list: readonly unknown[], place: string, fields: FieldCheck) {
  const { frames: limit, frameSecond } = REQUEST_LIMITS;
  if (list.length === 0 || list.length > limit)
    throw fieldError(place, `${place}.video_frames has ${list.length} frames; it must have 1 to ${limit}.`);
  return list.map((frame, i) => {
    const at = `${place}.video_frames[${i}]`;
    const { second, url } = isJsonObject(frame) ? frame : {};
    if (!isJsonObject(frame) || typeof second !== 'number' || !isImageText(url)) {
      throw fieldError(
        at,
        `${at} must be {"second":0,"url":"data:image/jpeg;base64,..."}; got ${shown(frame)}.`,
      );
    }
    if (!(second >= 0 && second <= frameSecond))
      throw fieldError(
        `${at}.second`,
        `${at}.second must be from 0 to ${frameSecond}; got ${shown(second)}.`,
      );
    fields.check(frame, at, ['second', 'url']);
    return { second, url };
  });
}

const TEXT_TYPES = new Set(['text', 'input_text', 'output_text', 'refusal']);

/** `images` beside `content`: base64, with or without the beginning of a data URL. */
function readOllamaImages({ images }: JsonObject, at: string): ImageText[] {
  if (images === undefined || images === null) return [];
  if (!Array.isArray(images) || !images.every(isImageText)) {
    // The field of the request does not belong to a message.
    const param = at === 'images' ? at : `${at}.images`;
    throw fieldError(param, `${param} must be a list of base64 strings; got ${shown(images)}.`);
  }
  return images.map((image) => (/^(?:data:|https?:)/i.test(beginningOf(image)) ? image : asDataUrl(image)));
}

/** The calls of an earlier answer as text. */
function readToolCalls(message: JsonObject, at: string, toolNames: Map<unknown, string>): string[] {
  const { tool_calls: calls, function_call: legacy } = message;
  const list: unknown = calls ?? (legacy == null ? [] : [{ function: legacy }]);
  if (!Array.isArray(list))
    throw fieldError(`${at}.tool_calls`, `${at}.tool_calls must be a list; got ${shown(list)}.`);
  return list.map((call: unknown, j) => {
    const { id, function: called } = isJsonObject(call) ? call : {};
    if (!isJsonObject(called) || typeof called.name !== 'string') {
      throw fieldError(
        `${at}.tool_calls[${j}]`,
        `${at}.tool_calls[${j}] must be {"id":"...","type":"function","function":{"name":"...","arguments":"..."}}; got ${shown(call)}.`,
      );
    }
    toolNames.set(id, called.name);
    const { arguments: given = '{}' } = called;
    return `${called.name}(${typeof given === 'string' ? given : JSON.stringify(given)})`;
  });
}
