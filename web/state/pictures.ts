/** The images on show: their addresses, and turning one. */
import { withRow } from '../batch/rows.ts';
import { turned } from '../picture/crop.ts';
import { changeBatch } from './batches.ts';
import { addPicture, prepared } from './intake.ts';
import { currentDraft, currentRow, shownPictureId, state } from './state.ts';

const urls = new Map<string, string>();

/** An image for an `img`. Kept until the page is left: an image is never changed. */
export function pictureUrl(id: string): string {
  const known = urls.get(id);
  const blob = state.value.pictures[id]?.blob;
  if (known !== undefined || !blob) return known ?? '';
  const url = URL.createObjectURL(blob);
  urls.set(id, url);
  return url;
}

/**
 * Turns the image on show by a quarter, as it will be sent. Earlier answers keep the image that they are about: the
 * turned one is a new image, of the page or in the composer.
 */
export async function turnPicture(): Promise<void> {
  const picture = state.value.pictures[shownPictureId(state.value) ?? ''];
  const row = currentRow(state.value);
  const { batchId } = state.value;
  if (!picture) return;
  state.set({ isPreparing: true, marked: [] });
  try {
    const blob = await turned(picture);
    const isOfPage = row?.pictureId === picture.id && currentDraft(state.value).pictureId === null;
    if (isOfPage && row && batchId !== null && row.conversationId === null) {
      const { id } = await prepared(blob, picture.name);
      changeBatch(batchId, (batch) => withRow(batch, row.id, { pictureId: id }));
    } else await addPicture(blob, picture.name);
  } finally {
    state.set({ isPreparing: false });
  }
}
