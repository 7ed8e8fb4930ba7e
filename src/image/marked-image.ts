/** An image with places marked on it, as a PNG. */
import { decodeImage, encodePng } from './decode.ts';

/** As shares (0 to 1) of the image's width and height. */
export interface MarkedPlace {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** RGB of the marks of each group; after the last colour the first one again. */
const COLOURS = [
  [194, 65, 12],
  [15, 107, 99],
  [79, 70, 229],
] as const;
const FILL = 0.3;

/** @param groups places that get a colour each. @throws CogVLM2Error those of `decodeImage` */
export async function markedImage(
  bytes: Uint8Array,
  groups: readonly (readonly MarkedPlace[])[],
): Promise<Uint8Array> {
  const { width, height, data } = await decodeImage(bytes);
  const border = Math.max(1, Math.round(Math.min(width, height) / 200));
  for (const [i, places] of groups.entries()) {
    const colour = COLOURS[i % COLOURS.length] ?? COLOURS[0];
    for (const place of places) {
      const [left, right] = [Math.round(place.x * width), Math.round((place.x + place.width) * width)];
      const [top, bottom] = [Math.round(place.y * height), Math.round((place.y + place.height) * height)];
      for (let y = Math.max(0, top); y < Math.min(bottom, height); y++) {
        for (let x = Math.max(0, left); x < Math.min(right, width); x++) {
          const isBorder = Math.min(x - left, right - 1 - x, y - top, bottom - 1 - y) < border;
          const at = (y * width + x) * 3;
          for (const [channel, value] of colour.entries()) {
            const share = isBorder ? 1 : FILL;
            data[at + channel] = Math.round((data[at + channel] ?? 0) * (1 - share) + value * share);
          }
        }
      }
    }
  }
  return encodePng(data, width, height, 3);
}
