import { loadSharp } from './decode.ts';

/** Pixels as the bytes of a PNG, without loss. @param rgba [height, width, 4], opaque */
export async function encodePng(rgba: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const sharp = await loadSharp();
  return sharp(rgba, { raw: { width, height, channels: 4 } })
    .removeAlpha()
    .png({ compressionLevel: 1 })
    .toBuffer();
}
