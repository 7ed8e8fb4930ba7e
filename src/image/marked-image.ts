/** An image with places marked on it, as a PNG. */
import { Canvas } from './canvas.ts';
import { decodeImage, encodePng } from './decode.ts';

/** As shares (0 to 1) of the image's width and height. */
export interface MarkedPlace {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** RGB of the marks of each group; after the last color the first one again. */
const COLORS = [
  [194, 65, 12],
  [15, 107, 99],
  [79, 70, 229],
] as const;
const FILL = 0.3;

/** @param groups places that get a color each. @throws CogVLM2Error those of `decodeImage` */
export async function markedImage(
  bytes: Uint8Array,
  groups: readonly (readonly MarkedPlace[])[],
): Promise<Uint8Array> {
  const image = await decodeImage(bytes);
  const canvas = new Canvas(image);
  const border = Math.max(1, Math.round(Math.min(image.width, image.height) / 200));
  for (const [i, places] of groups.entries()) {
    const color = COLORS[i % COLORS.length] ?? COLORS[0];
    for (const { x, y, width, height } of places) {
      const place = {
        left: Math.round(x * image.width),
        top: Math.round(y * image.height),
        right: Math.round((x + width) * image.width),
        bottom: Math.round((y + height) * image.height),
      };
      canvas.fill(place, color, FILL);
      canvas.outline(place, border, color);
    }
  }
  return encodePng(canvas.data, image.width, image.height, 3);
}
