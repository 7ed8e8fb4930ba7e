/** Reads a file that a person chose as an image that can be sent. */
import type { Rotation, StoredImage } from '../conversation/types.ts';
import { newId } from '../storage/new-id.ts';
import { bitmapOf, drawn, encoded } from './canvas.ts';
import { formatOf } from './format.ts';
import { type ImageLimits, scaled, shrinkPlan } from './shrink-plan.ts';

const THUMBNAIL_SIDE = 96;

/** @throws NotAnImageError */
export async function readImage(
  file: Blob,
  name: string,
  limits: ImageLimits,
  rotation: Rotation | null,
): Promise<StoredImage> {
  const format = await formatOf(file);
  const bitmap = await bitmapOf(file, name);
  try {
    const { width, height } = bitmap;
    const plan = shrinkPlan({ width, height, sizeBytes: file.size, isSentFormat: format !== null }, limits);
    const sent =
      plan === null
        ? { width, height, blob: await inMemory(file, format) }
        : await smaller(bitmap, plan, limits);
    return {
      id: newId(),
      name,
      ...sent,
      original: plan === null ? null : { width, height, sizeBytes: file.size, type: format ?? file.type },
      thumbnail: thumbnailOf(bitmap),
      rotation,
      video: null,
    };
  } finally {
    bitmap.close();
  }
}

export async function dataUrlOf(blob: Blob): Promise<string> {
  const reader = new FileReader();
  return new Promise((resolve, reject) => {
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** A copy, because the file on disk may change or disappear, and its declared type may be wrong. */
async function inMemory(file: Blob, type: string | null): Promise<Blob> {
  return new Blob([await file.arrayBuffer()], { type: type ?? file.type });
}

async function smaller(
  bitmap: ImageBitmap,
  plan: { width: number; height: number },
  limits: ImageLimits,
): Promise<{ width: number; height: number; blob: Blob }> {
  for (let size = plan; ; size = scaled(size, 0.75)) {
    const blob = await encoded(resized(bitmap, size), 'image/jpeg');
    if (blob.size <= limits.fileLimitBytes || Math.max(size.width, size.height) < 16)
      return { ...size, blob };
  }
}

function thumbnailOf(bitmap: ImageBitmap): string {
  const factor = Math.min(1, THUMBNAIL_SIDE / Math.min(bitmap.width, bitmap.height));
  return resized(bitmap, scaled(bitmap, factor)).toDataURL('image/jpeg', 0.8);
}

function resized(bitmap: ImageBitmap, size: { width: number; height: number }): HTMLCanvasElement {
  return drawn(size, (context) => {
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, size.width, size.height);
  });
}
