/** Pictures that a person drops, pastes or picks. */
import { USUAL_LIMITS } from '../api/server-info.ts';
import { fileLimitBytes } from '../picture/shrink-plan.ts';
import { NotAPictureError, takePicture } from '../picture/take-picture.ts';
import { changeDraft, keepPicture } from './keeping.ts';
import { notify } from './notices.ts';
import { state } from './state.ts';

/** Puts the first of the files into the composer; says so when there were more. */
export async function addPictures(files: readonly File[]): Promise<void> {
  const [file] = files;
  if (!file) return;
  const { text } = state.value;
  const picture = await addPicture(file, file.name);
  if (picture && files.length > 1) notify('info', text.onlyOne(file.name));
}

export async function addPicture(file: Blob, name: string): Promise<boolean> {
  const { info, text } = state.value;
  const { bodyLimitBytes, pixelLimit } = info ?? USUAL_LIMITS;
  state.set({ isPreparing: true });
  try {
    const limits = { fileLimitBytes: fileLimitBytes(bodyLimitBytes), pixelLimit };
    const picture = await takePicture(file, name, limits);
    await keepPicture(picture);
    changeDraft({ pictureId: picture.id });
    return true;
  } catch (error) {
    if (!(error instanceof NotAPictureError)) throw error;
    notify('error', text.notAPicture(name));
    return false;
  } finally {
    state.set({ isPreparing: false });
  }
}

const urls = new Map<string, string>();

/** A picture for an `img`. Kept until the page is left: a picture is never changed. */
export function pictureUrl(id: string): string {
  const known = urls.get(id);
  const blob = state.value.pictures[id]?.blob;
  if (known !== undefined || !blob) return known ?? '';
  const url = URL.createObjectURL(blob);
  urls.set(id, url);
  return url;
}
