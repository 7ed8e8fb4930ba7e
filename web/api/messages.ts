/** The messages of a request. Pure. */
import type { Turn } from '../conversation/types.ts';

export type Message =
  | { role: 'assistant'; content: string }
  | { role: 'user'; content: string | ({ type: 'text'; text: string } | VisualPart)[] };

/** An image, or a video as a file or as frames. */
export type VisualPart =
  | { type: 'image_url'; image_url: { url: string } }
  | { type: 'video_url'; video_url: { url: string } }
  | { type: 'video_frames'; video_frames: { second: number; url: string }[] };

/**
 * The turns as messages; the last one's answer is what is asked for. A past question that got no answer is left out,
 * as the model has never seen it. The model looks at one image or video, so only that one is sent, with the question.
 */
export function messagesOf(path: readonly Turn[], visual: VisualPart | null): Message[] {
  const past = path.slice(0, -1).filter((turn) => turn.answer.text !== '');
  const question = path.at(-1)?.question ?? '';
  return [
    ...past.flatMap((turn): Message[] => [
      { role: 'user', content: turn.question },
      { role: 'assistant', content: turn.answer.text },
    ]),
    userMessage(question, visual),
  ];
}

/** A question about an image or a video, or without one. */
export function userMessage(text: string, visual: VisualPart | null): Message {
  if (visual === null) return { role: 'user', content: text };
  return {
    role: 'user',
    content: [visual, { type: 'text', text }],
  };
}
