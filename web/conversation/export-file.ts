/** Conversations and their images as one JSON file. */
import { dataUrlOf } from '../image/read-image.ts';
import type { Clip, Conversation, StoredImage } from './types.ts';

export const FORMAT = 'cogvlm2-conversations';
export const VERSION = 2;

/** In parts, so that the images are not joined to one string. */
export async function exportFile(
  conversations: readonly Conversation[],
  images: Record<string, StoredImage>,
): Promise<Blob> {
  const ids = new Set(conversations.flatMap(({ turns }) => turns.map(({ imageId }) => imageId)));
  const parts: BlobPart[] = [
    `{"format":${JSON.stringify(FORMAT)},"version":${VERSION},"conversations":${JSON.stringify(conversations)},"images":[`,
  ];
  let separator = '';
  for (const id of ids) {
    const image = images[id ?? ''];
    if (!image) continue;
    const { blob, video, ...rest } = image;
    const written = { ...rest, data: await dataUrlOf(blob), video: video && (await writtenClip(video)) };
    parts.push(separator, new Blob([JSON.stringify(written)]));
    separator = ',';
  }
  return new Blob([...parts, ']}'], { type: 'application/json' });
}

async function writtenClip({ file, frames, durationSeconds }: Clip): Promise<object> {
  const written = frames.map(async ({ second, blob }) => ({ second, data: await dataUrlOf(blob) }));
  return {
    file: file && (await dataUrlOf(file)),
    frames: await Promise.all(written),
    durationSeconds,
  };
}
