/** Decodes, draws and encodes images. */
const JPEG_QUALITY = 0.92;

/** The browser cannot read the file as an image. */
export class NotAnImageError extends Error {}

/** @throws NotAnImageError */
export async function bitmapOf(file: Blob, name: string): Promise<ImageBitmap> {
  return createImageBitmap(file).catch(() => {
    throw new NotAnImageError(name);
  });
}

/** Returns a canvas after `draw`. The canvas is white at first, because JPEG has no transparency. @throws NotAnImageError */
export function drawn(
  { width, height }: { width: number; height: number },
  draw: (context: CanvasRenderingContext2D) => void,
): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) throw new NotAnImageError();
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  draw(context);
  return canvas;
}

/** @throws NotAnImageError */
export async function encoded(canvas: HTMLCanvasElement, type: 'image/png' | 'image/jpeg'): Promise<Blob> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, JPEG_QUALITY));
  if (!blob) throw new NotAnImageError();
  return blob;
}
