/** Cropping and turning images. */
import type { StoredImage } from '../conversation/types.ts';
import { type Place, pixelsOf } from '../document/place.ts';
import { bitmapOf, drawn, encoded } from './canvas.ts';

/** Smaller drawings stay exact. */
const MOST_PNG_PIXELS = 4_000_000;

/** The region alone, in the pixels of the image. @throws NotAnImageError */
export async function cropped(image: StoredImage, region: Place): Promise<Blob> {
  return redrawn(image, (bitmap) => {
    const { x, y, width, height } = pixelsOf(region, bitmap);
    return drawn({ width, height }, (context) => context.drawImage(bitmap, -x, -y));
  });
}

/** Turned by a quarter, clockwise. @throws NotAnImageError */
export async function turned(image: StoredImage): Promise<Blob> {
  return redrawn(image, (bitmap) =>
    drawn({ width: bitmap.height, height: bitmap.width }, (context) => {
      context.translate(bitmap.height, 0);
      context.rotate(Math.PI / 2);
      context.drawImage(bitmap, 0, 0);
    }),
  );
}

async function redrawn(
  { blob, name }: StoredImage,
  draw: (bitmap: ImageBitmap) => HTMLCanvasElement,
): Promise<Blob> {
  const bitmap = await bitmapOf(blob, name);
  try {
    const canvas = draw(bitmap);
    const isSmall = canvas.width * canvas.height <= MOST_PNG_PIXELS;
    return await encoded(canvas, isSmall ? 'image/png' : 'image/jpeg');
  } finally {
    bitmap.close();
  }
}
