/** Handles files that the user drops, pastes or picks. One image goes to the conversation, several become a batch. */
import { ApiError, failureOf } from '../api/connection.ts';
import { drawPages } from '../api/pages.ts';
import { USUAL_LIMITS } from '../api/server-info.ts';
import type { Row } from '../batch/types.ts';
import type { Rotation, StoredImage } from '../conversation/types.ts';
import { NotAnImageError } from '../image/canvas.ts';
import { readImage } from '../image/read-image.ts';
import { fileLimitBytes } from '../image/shrink-plan.ts';
import { newId } from '../storage/new-id.ts';
import { isVideo, readVideo, VideoError, type VideoServer } from '../video/read-video.ts';
import { batchById, changeBatch, keepBatch, newBatch, openBatch } from './batches.ts';
import { changeDraft, keepImage } from './keeping.ts';
import { notify } from './notices.ts';
import { state } from './state.ts';

/** More pages than this make the browser slow; the command line has no such limit. */
const MOST_ROWS = 1_000;

/** If a batch is open, the pages are added to its table. */
export async function addFiles(files: readonly File[]): Promise<void> {
  const readable = files.filter(isReadable).sort(byPath);
  const [first] = readable.length > 0 ? readable : files;
  if (!first) return;
  const { batchId } = state.value;
  if (batchId === null && readable.length < 2 && !isPdf(first))
    return void (await addImage(first, first.name));
  await addToBatch(readable.length > 0 ? readable : [first], files.length - readable.length, batchId);
}

/** Puts an image or a video into the composer. @returns whether the browser could read it */
export async function addImage(file: Blob, name: string): Promise<boolean> {
  state.set({ isPreparing: true });
  try {
    changeDraft({ imageId: (await prepared(file, name)).id, region: null });
    return true;
  } catch (error) {
    notify('error', reasonOf(error, name));
    return false;
  } finally {
    state.set({ isPreparing: false });
  }
}

async function addToBatch(files: readonly File[], skipped: number, batchId: string | null): Promise<void> {
  const abort = new AbortController();
  const intake = { stop: () => abort.abort(), done: 0, total: files.length, name: '' };
  state.set({ intake });
  const target = new Target(batchId, batchName(files));
  try {
    for (const [done, file] of files.entries()) {
      if (abort.signal.aborted) break;
      state.set({ intake: { ...intake, done, name: file.name } });
      if (isPdf(file)) await addPdf(file, files.length, target, abort.signal);
      else target.add(await rowOf(file, file.name, null, null));
      if (target.isFull) {
        notify('error', state.value.text.batch.tooMany(MOST_ROWS));
        break;
      }
    }
  } finally {
    state.set({ intake: null });
  }
  if (skipped > 0) notify('info', state.value.text.batch.skipped(skipped));
}

/** The batch for the pages. It is created with the first page, so a file that cannot be read creates no batch. */
class Target {
  #id: string | null;
  readonly #name: string;

  constructor(id: string | null, name: string) {
    this.#id = id;
    this.#name = name;
  }

  get isFull(): boolean {
    return (batchById(this.#id)?.rows.length ?? 0) >= MOST_ROWS;
  }

  add(row: Row): void {
    if (this.#id === null) {
      const batch = newBatch(this.#name, [row]);
      this.#id = batch.id;
      keepBatch(batch);
      openBatch(batch.id);
    } else changeBatch(this.#id, (batch) => ({ ...batch, rows: [...batch.rows, row] }));
  }
}

async function addPdf(file: File, files: number, target: Target, signal: AbortSignal): Promise<void> {
  let last = 0;
  try {
    for await (const { page, pageCount, image, warnings } of drawPages(state.value.settings, file, signal)) {
      last = page;
      const isOneImage = pageCount === 1 && files === 1 && state.value.batchId === null;
      if (isOneImage && image instanceof Blob) {
        await addImage(image, file.name);
      } else if (image instanceof Blob) {
        target.add(await rowOf(image, file.name, page, pageCount));
      } else target.add(failedRow(file.name, page, pageCount, image));
      for (const warning of warnings) notify('info', `${file.name}: ${warning}`);
      if (target.isFull) return;
    }
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    const { failures, batch } = state.value.text;
    const why = failures[error.code] ?? error.message;
    notify('error', batch.notReadPdf(file.name, last, why));
  }
}

async function rowOf(image: Blob, file: string, page: number | null, pageCount: number | null): Promise<Row> {
  try {
    const { id } = await prepared(image, page === null ? file : `${file}, ${page}`);
    return { ...emptyRow(file, page, pageCount), imageId: id };
  } catch (error) {
    return failedRow(file, page, pageCount, new ApiError('page', reasonOf(error, file)));
  }
}

function failedRow(file: string, page: number | null, pageCount: number | null, error: ApiError): Row {
  return { ...emptyRow(file, page, pageCount), state: 'failed', failure: failureOf(error) };
}

function emptyRow(file: string, page: number | null, pageCount: number | null): Row {
  return {
    id: newId(),
    file,
    page,
    pageCount,
    imageId: null,
    state: 'waiting',
    failure: null,
    cells: {},
    conversationId: null,
  };
}

/** @throws VideoError */
function videoServer(): VideoServer {
  const server = state.value.info?.video;
  if (!server) throw new VideoError('noVideoModel');
  return server;
}

/** The message about a file that cannot be read. @throws errors that are not about the file */
function reasonOf(error: unknown, name: string): string {
  const { text } = state.value;
  if (error instanceof NotAnImageError) return text.notAnImage(name);
  if (error instanceof VideoError) return text.video[error.reason](name);
  throw error;
}

/** Stores an image or a video in the form that is sent. @throws NotAnImageError, VideoError */
export async function prepared(
  file: Blob,
  name: string,
  rotation: Rotation | null = null,
): Promise<StoredImage> {
  const { bodyLimitBytes, pixelLimit } = state.value.info ?? USUAL_LIMITS;
  const limits = { fileLimitBytes: fileLimitBytes(bodyLimitBytes), pixelLimit };
  const image = isVideo(file, name)
    ? await readVideo(file, name, videoServer(), limits)
    : await readImage(file, name, limits, rotation);
  await keepImage(image);
  return image;
}

/** The name of the folder or file, or the number of files. */
function batchName(files: readonly File[]): string {
  const [first] = files;
  const folder = first?.webkitRelativePath.split('/')[0] ?? '';
  if (folder !== '') return folder;
  if (first && files.length === 1) return first.name;
  return state.value.text.batch.defaultName(files.length);
}

function isPdf({ name, type }: File): boolean {
  return type === 'application/pdf' || /\.pdf$/i.test(name);
}

function isReadable(file: File): boolean {
  const isHidden = file.name.startsWith('.');
  return (
    !isHidden &&
    (isPdf(file) ||
      (isVideo(file, file.name) && state.value.info?.video != null) ||
      file.type.startsWith('image/') ||
      /\.(heic|avif|tiff?|bmp)$/i.test(file.name))
  );
}

function byPath(one: File, other: File): number {
  const path = ({ webkitRelativePath, name }: File) => webkitRelativePath || name;
  return path(one).localeCompare(path(other), undefined, { numeric: true });
}
