/** The visible images: their URLs, their rotation, and places on them. */
import { withRotation } from '../batch/rows.ts';
import type { Rotation, StoredImage } from '../conversation/types.ts';
import { onWholeImage, type Place, rotated } from '../document/place.ts';
import { rotatedImage } from '../image/crop.ts';
import { changeBatch } from './batches.ts';
import { prepared } from './intake.ts';
import { changeDraft } from './keeping.ts';
import { currentDraft, currentRow, shownImageId, state } from './state.ts';

const urls = new WeakMap<Blob, string>();

/** The URL of an image or a video. It is valid until the page is closed, because images never change. */
export function objectUrlOf(blob: Blob): string {
  const known = urls.get(blob);
  if (known !== undefined) return known;
  const url = URL.createObjectURL(blob);
  urls.set(blob, url);
  return url;
}

/**
 * Rotates the visible image by a quarter turn; it is sent rotated. The rotated image is a new image of the page or in the
 * composer, so earlier answers keep their image.
 */
export async function rotateImage(): Promise<void> {
  const image = state.value.images[shownImageId(state.value) ?? ''];
  const row = currentRow(state.value);
  const { batchId } = state.value;
  if (!image) return;
  state.set({ isPreparing: true, marked: [] });
  try {
    const { id } = await rotatedOnce(image);
    const isOfPage = row?.imageId === image.id && currentDraft(state.value).imageId === null;
    if (isOfPage && row && batchId !== null && row.conversationId === null)
      changeBatch(batchId, (batch) => withRotation(batch, row.id, id));
    else changeDraft({ imageId: id, region: null });
  } finally {
    state.set({ isPreparing: false });
  }
}

/** It is made from the original, so repeated rotation loses no quality. After four quarter turns it is the original. */
async function rotatedOnce(image: StoredImage): Promise<StoredImage> {
  const { of, quarterTurns: before } = rotationOf(image);
  const first = state.value.images[of];
  const quarterTurns = (before + 1) % 4;
  if (first && quarterTurns === 0) return first;
  const blob = await (first ? rotatedImage(first, quarterTurns) : rotatedImage(image, 1));
  return prepared(blob, image.name, { of, quarterTurns });
}

function rotationOf({ id, rotation }: StoredImage): Rotation {
  return rotation ?? { of: id, quarterTurns: 0 };
}

/**
 * Converts places on an image, or on a region of it, to places on the visible image, which may be rotated.
 * @returns an empty list if another image is visible
 */
export function onShownImage(
  places: readonly Place[],
  imageId: string | null,
  region: Place | null,
): Place[] {
  const { images } = state.value;
  const [from, to] = [images[imageId ?? ''], images[shownImageId(state.value) ?? '']];
  if (!from || !to || rotationOf(from).of !== rotationOf(to).of) return [];
  const quarterTurns = rotationOf(to).quarterTurns - rotationOf(from).quarterTurns + 4;
  return onWholeImage(places, region).map((place) => rotated(place, quarterTurns));
}
