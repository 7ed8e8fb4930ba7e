/**
 * Encoded bytes to 8-bit RGB, with the values that Pillow's `Image.open(...).convert('RGB')` gives: alpha is dropped (not
 * composited), embedded colour profiles are ignored, 16-bit colour keeps its high byte.
 *
 * Where this differs from the published pipeline, on purpose: EXIF orientation is applied (the published code shows the
 * model a phone's picture lying on its side), 16-bit grey keeps its high byte (Pillow clips it to white), and CMYK goes
 * through libvips' colour management instead of Pillow's plain subtraction.
 */
import { CogVLM2Error } from '../errors.ts';
import { DEFAULT_IMAGE_LIMITS } from './limits.ts';
import { describeOther, type ImageFormat, sniffFormat } from './sniff.ts';

export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3], row-major, 8 bit. */
  readonly data: Uint8Array;
}

export interface DecodedImage extends RgbImage {
  readonly format: ImageFormat;
}

export interface DecodeOptions {
  /** Largest decoded picture, in pixels. */
  readonly maxPixels?: number;
}

export interface ImageHeader {
  readonly format: ImageFormat;
  /** As stored: a picture that is turned upright afterwards may have them the other way round. */
  readonly width: number;
  readonly height: number;
}

/**
 * What the header of a PNG, JPEG or WebP says, without decoding it.
 * @throws CogVLM2Error invalid_image, engine_unavailable (sharp does not load)
 */
export async function readImageHeader(bytes: Uint8Array): Promise<ImageHeader> {
  const format = sniffFormat(bytes);
  if (format === null) {
    throw new CogVLM2Error(
      'invalid_image',
      `The ${bytes.byteLength} bytes are ${describeOther(bytes)}; PNG, JPEG and WebP pictures are read.`,
    );
  }
  const sharp = await loadSharp();
  try {
    // Without sharp's own limit, so that a message can tell the size.
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata();
    return { format, width, height };
  } catch (error) {
    throw damaged(format, bytes, error);
  }
}

/**
 * Decodes a PNG, JPEG or WebP (of an animation, the first picture).
 * @throws CogVLM2Error invalid_image, image_too_large, engine_unavailable (sharp does not load)
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<DecodedImage> {
  const maxPixels = options.maxPixels ?? DEFAULT_IMAGE_LIMITS.maxPixels;
  const { format, width, height } = await readImageHeader(bytes);
  checkPixels(width, height, maxPixels);
  const sharp = await loadSharp();
  try {
    const { data, info } = await sharp(bytes, {
      limitInputPixels: maxPixels,
      failOn: 'error', // a truncated file is an error; Pillow refuses those, and reads on over mere warnings
      ignoreIcc: true,
      sequentialRead: true,
    })
      .autoOrient()
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels`);
    return { width: info.width, height: info.height, data, format };
  } catch (error) {
    throw damaged(format, bytes, error);
  }
}

function damaged(format: ImageFormat, bytes: Uint8Array, cause: unknown): CogVLM2Error {
  const why = String((cause as Error).message)
    .split('\n')[0]
    ?.replace(/[\s:.]+$/, '');
  return new CogVLM2Error(
    'invalid_image',
    `The ${format.toUpperCase()} picture (${bytes.byteLength} bytes) is damaged or cut short: ${why}.`,
    { cause },
  );
}

function checkPixels(width: number, height: number, maxPixels: number): void {
  if (width * height <= maxPixels) return;
  throw new CogVLM2Error(
    'image_too_large',
    `The picture is ${width} x ${height} = ${width * height} pixels; the limit is ${maxPixels} pixels. ` +
      'Make it smaller, or raise maxPixels.',
  );
}

type Sharp = typeof import('sharp')['default'];
let loading: Promise<Sharp> | undefined;

/** Loaded at the first picture: programs that meet none (`--help`, text only) do not pay for a native library. */
export function loadSharp(): Promise<Sharp> {
  loading ??= import('sharp').then(
    ({ default: sharp }) => {
      // Bytes are sniffed before sharp sees them; this is the second lock, for the whole process: no other parser
      // (SVG, PDF, TIFF, ImageMagick's...) can be reached even if libvips would read the same bytes differently.
      sharp.block({ operation: ['VipsForeignLoad'] });
      sharp.unblock({
        operation: ['VipsForeignLoadPngBuffer', 'VipsForeignLoadJpegBuffer', 'VipsForeignLoadWebpBuffer'],
      });
      return sharp;
    },
    (error: unknown) => {
      throw new CogVLM2Error(
        'engine_unavailable',
        'The picture decoder (the npm package "sharp") does not load on this machine: reinstall it for this platform.',
        { cause: error },
      );
    },
  );
  return loading;
}
