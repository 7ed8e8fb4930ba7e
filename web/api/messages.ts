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
 * Converts turns to messages. The request is for the answer of the last turn. Earlier questions without an answer are left out,
 * because the model has not seen them. The model sees one image or video, so only that one is sent.
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
