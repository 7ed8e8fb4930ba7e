/** Images as a server takes them: PNG, JPEG or WebP, within its limits of bytes and pixels. */

import { CogVLM2Error } from '../../errors.ts';
import { decodeImage, encodePng, loadSharp, type RgbImage, readImageHeader } from '../../image/decode.ts';

export interface ImageLimits {
  /** Of the encoded image, before base64. */
  readonly maxBytes?: number | undefined;
  /** Of the longer side, in pixels. */
  readonly maxSide?: number | undefined;
}

export interface RequestImage {
  readonly format: 'png' | 'jpeg' | 'webp';
  readonly bytes: Uint8Array;
  /** Whether it was encoded again to fit a limit. */
  readonly isReencoded: boolean;
}

/**
 * An image within the limits is sent unchanged; formats other than PNG, JPEG and WebP become PNG without loss. An image over a
 * limit is resized to the longest permitted side, and then encoded as the first of these that fits: PNG (unless the image is a JPEG),
 * JPEG of quality 95 to 75, and JPEG of quality 75 with sides that shrink by a fifth at a time.
 * @throws CogVLM2Error `invalid_image`; `image_too_large` if nothing fits
 */
export async function requestImage(
  bytes: Uint8Array,
  { maxBytes = Number.POSITIVE_INFINITY, maxSide = Number.POSITIVE_INFINITY }: ImageLimits = {},
): Promise<RequestImage> {
  const { format, width, height } = await readImageHeader(bytes);
  const isSmall = Math.max(width, height) <= maxSide;
  const isCommon = format === 'png' || format === 'jpeg' || format === 'webp';
  if (isCommon && isSmall && bytes.byteLength <= maxBytes) return { format, bytes, isReencoded: false };
  const image = await decodeImage(bytes);
  if (!isCommon && isSmall) {
    const png = await encodePng(image.data, image.width, image.height, 3);
    if (png.byteLength <= maxBytes) return { format: 'png', bytes: png, isReencoded: false };
  }
  const longest = Math.min(maxSide, Math.max(image.width, image.height));
  for (const attempt of attempts(longest, format === 'jpeg')) {
    const encoded = await encode(image, attempt);
    if (encoded.byteLength <= maxBytes) return { format: attempt.format, bytes: encoded, isReencoded: true };
  }
  throw new CogVLM2Error(
    'image_too_large',
    `The image of ${width} x ${height} pixels does not fit into ${maxBytes} bytes, even with a longest side of ${minSide} pixels.`,
  );
}

interface Attempt {
  readonly format: 'png' | 'jpeg';
  readonly quality: number;
  readonly side: number;
}

/** A smaller image has no readable content. */
const minSide = 64;

function* attempts(longest: number, isJpeg: boolean): Generator<Attempt> {
  if (!isJpeg) yield { format: 'png', quality: 100, side: longest };
  for (const quality of [95, 90, 85, 80, 75]) yield { format: 'jpeg', quality, side: longest };
  for (let side = Math.floor(longest * 0.8); side >= minSide; side = Math.floor(side * 0.8)) {
    yield { format: 'jpeg', quality: 75, side };
  }
}

/** Without chroma subsampling, which blurs coloured text. */
async function encode(
  { data, width, height }: RgbImage,
  { format, quality, side }: Attempt,
): Promise<Buffer> {
  const sharp = await loadSharp();
  const resized = sharp(data, { raw: { width, height, channels: 3 } }).resize({
    width: side,
    height: side,
    fit: 'inside',
    withoutEnlargement: true,
  });
  return format === 'png'
    ? resized.png().toBuffer()
    : resized.jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer();
}
