/** What is sent of an image: all of it, or the region that a person marked. */
import type { Place } from '../document/place.ts';
import { cropped } from '../picture/crop.ts';
import { dataUrlOf } from '../picture/take-picture.ts';
import { state } from './state.ts';

/** As a data URL; null without an image. */
export async function imageUrl(pictureId: string | null, region: Place | null): Promise<string | null> {
  const picture = state.value.pictures[pictureId ?? ''];
  if (!picture) return null;
  return dataUrlOf(region ? await cropped(picture, region) : picture.blob);
}
