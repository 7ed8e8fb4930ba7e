/** Cropping and rotating images. */
import type { StoredImage } from '../conversation/types.ts';
import { type Place, pixelsOf } from '../document/place.ts';
import { bitmapOf, drawn, encoded } from './canvas.ts';

/** Up to this size the result is PNG, which is lossless. */
const MOST_PNG_PIXELS = 4_000_000;

/** The region alone, in the pixels of the image. @throws NotAnImageError */
export async function cropped(image: StoredImage, region: Place): Promise<Blob> {
  return redrawn(image, (bitmap) => {
    const { x, y, width, height } = pixelsOf(region, bitmap);
    return drawn({ width, height }, (context) => context.drawImage(bitmap, -x, -y));
  });
}

/** Rotated clockwise. @throws NotAnImageError */
export async function rotatedImage(image: StoredImage, quarterTurns: number): Promise<Blob> {
  return redrawn(image, (bitmap) => {
    const { width, height } = bitmap;
    const isUpright = quarterTurns % 2 === 0;
    const size = { width: isUpright ? width : height, height: isUpright ? height : width };
    return drawn(size, (context) => {
      context.translate(size.width / 2, size.height / 2);
      context.rotate((quarterTurns * Math.PI) / 2);
      context.drawImage(bitmap, -width / 2, -height / 2);
    });
  });
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
