/** The images on show: their addresses, and turning one. */
import { withRow } from '../batch/rows.ts';
import { turned } from '../image/crop.ts';
import { changeBatch } from './batches.ts';
import { addImage, prepared } from './intake.ts';
import { currentDraft, currentRow, shownImageId, state } from './state.ts';

const urls = new Map<string, string>();

/** An image for an `img`. Kept until the page is left: an image is never changed. */
export function objectUrlOf(id: string): string {
  const known = urls.get(id);
  const blob = state.value.images[id]?.blob;
  if (known !== undefined || !blob) return known ?? '';
  const url = URL.createObjectURL(blob);
  urls.set(id, url);
  return url;
}

/**
 * Turns the image on show by a quarter, as it will be sent. Earlier answers keep the image that they are about: the
 * turned one is a new image, of the page or in the composer.
 */
export async function rotateImage(): Promise<void> {
  const image = state.value.images[shownImageId(state.value) ?? ''];
  const row = currentRow(state.value);
  const { batchId } = state.value;
  if (!image) return;
  state.set({ isPreparing: true, marked: [] });
  try {
    const blob = await turned(image);
    const isOfPage = row?.imageId === image.id && currentDraft(state.value).imageId === null;
    if (isOfPage && row && batchId !== null && row.conversationId === null) {
      const { id } = await prepared(blob, image.name);
      changeBatch(batchId, (batch) => withRow(batch, row.id, { imageId: id }));
    } else await addImage(blob, image.name);
  } finally {
    state.set({ isPreparing: false });
  }
}
