/** Parts and turns of an image, drawn anew. */
import type { Picture } from '../conversation/types.ts';
import { type Place, pixelsOf } from '../document/place.ts';
import { NotAPictureError } from './take-picture.ts';

const JPEG_QUALITY = 0.92;
/** Smaller drawings stay exact. */
const MOST_PNG_PIXELS = 4_000_000;

/** The region alone, in the pixels of the image. @throws NotAPictureError */
export async function cropped({ blob, name }: Picture, region: Place): Promise<Blob> {
  const bitmap = await bitmapOf(blob, name);
  try {
    const { x, y, width, height } = pixelsOf(region, bitmap);
    return await drawn(width, height, (context) => context.drawImage(bitmap, -x, -y));
  } finally {
    bitmap.close();
  }
}

/** Turned by a quarter, clockwise. @throws NotAPictureError */
export async function turned({ blob, name }: Picture): Promise<Blob> {
  const bitmap = await bitmapOf(blob, name);
  try {
    return await drawn(bitmap.height, bitmap.width, (context) => {
      context.translate(bitmap.height, 0);
      context.rotate(Math.PI / 2);
      context.drawImage(bitmap, 0, 0);
    });
  } finally {
    bitmap.close();
  }
}

async function bitmapOf(blob: Blob, name: string): Promise<ImageBitmap> {
  return createImageBitmap(blob).catch(() => {
    throw new NotAPictureError(name);
  });
}

async function drawn(
  width: number,
  height: number,
  draw: (context: CanvasRenderingContext2D) => void,
): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) throw new NotAPictureError();
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  draw(context);
  const type = width * height <= MOST_PNG_PIXELS ? 'image/png' : 'image/jpeg';
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, JPEG_QUALITY));
  if (!blob) throw new NotAPictureError();
  return blob;
}
