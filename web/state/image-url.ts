/** What is sent of an image: all of it, or the region that a person marked. */
import type { Place } from '../document/place.ts';
import { cropped } from '../image/crop.ts';
import { dataUrlOf } from '../image/read-image.ts';
import { state } from './state.ts';

/** As a data URL; null without an image. */
export async function imageUrl(imageId: string | null, region: Place | null): Promise<string | null> {
  const image = state.value.images[imageId ?? ''];
  if (!image) return null;
  return dataUrlOf(region ? await cropped(image, region) : image.blob);
}
