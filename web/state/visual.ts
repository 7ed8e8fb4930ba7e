/** The part of a message for an image or a video. */
import type { VisualPart } from '../api/messages.ts';
import type { Clip } from '../conversation/types.ts';
import type { Place } from '../document/place.ts';
import { cropped } from '../image/crop.ts';
import { dataUrlOf } from '../image/read-image.ts';
import { state } from './state.ts';

/** The complete image, or its marked region. Null without an image. */
export async function visualPart(imageId: string | null, region: Place | null): Promise<VisualPart | null> {
  const image = state.value.images[imageId ?? ''];
  if (!image) return null;
  if (image.video) return videoPart(image.video);
  const url = await dataUrlOf(region ? await cropped(image, region) : image.blob);
  return { type: 'image_url', image_url: { url } };
}

/** The file if the server reads video files, because it selects frames as in the training; otherwise the frames. */
async function videoPart({ file, frames }: Clip): Promise<VisualPart> {
  const readsFiles = state.value.info?.video?.readsFiles ?? false;
  if (file && (readsFiles || frames.length === 0))
    return { type: 'video_url', video_url: { url: await dataUrlOf(file) } };
  const sent = frames.map(async ({ second, blob }) => ({ second, url: await dataUrlOf(blob) }));
  return { type: 'video_frames', video_frames: await Promise.all(sent) };
}
