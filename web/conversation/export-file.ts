/** Conversations and their images as one JSON file. */
import { dataUrlOf } from '../picture/take-picture.ts';
import type { Conversation, Picture } from './types.ts';

export const FORMAT = 'cogvlm2-conversations';
export const VERSION = 1;

/** In parts, so that many images never become one string. */
export async function exportFile(
  conversations: readonly Conversation[],
  pictures: Record<string, Picture>,
): Promise<Blob> {
  const ids = new Set(conversations.flatMap(({ turns }) => turns.map(({ pictureId }) => pictureId)));
  const parts: BlobPart[] = [
    `{"format":${JSON.stringify(FORMAT)},"version":${VERSION},"conversations":${JSON.stringify(conversations)},"pictures":[`,
  ];
  let separator = '';
  for (const id of ids) {
    const picture = pictures[id ?? ''];
    if (!picture) continue;
    const { blob, ...rest } = picture;
    parts.push(separator, new Blob([JSON.stringify({ ...rest, data: await dataUrlOf(blob) })]));
    separator = ',';
  }
  return new Blob([...parts, ']}'], { type: 'application/json' });
}
