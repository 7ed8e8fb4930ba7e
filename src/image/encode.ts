import { loadSharp } from './decode.ts';

/** Pixels as the bytes of a PNG, without loss. @param pixels [height, width, channels], opaque */
export async function encodePng(
  pixels: Uint8Array,
  width: number,
  height: number,
  channels: 3 | 4 = 4,
): Promise<Uint8Array> {
  const sharp = await loadSharp();
  return sharp(pixels, { raw: { width, height, channels } })
    .removeAlpha()
    .png({ compressionLevel: 1 })
    .toBuffer();
}
