/**
 * Decodes image files to 8-bit RGB, like Pillow's `Image.open(...).convert('RGB')`: embedded colour profiles are
 * ignored, 16-bit colour keeps its high byte, and an animation is reduced to its first frame.
 *
 * Intended differences from the published pipeline:
 * - Transparency is composited on white. The published code drops alpha, so the hidden colour (mostly black) becomes visible.
 * - EXIF orientation is applied. The published code shows the model a rotated photo.
 * - 16-bit grey keeps its high byte, or bits 4 to 11 if no value needs more than 12 bits. Pillow clips it to white.
 * - CMYK is converted by libvips' colour management. Pillow subtracts.
 * - A JPEG with more than `maxPixels` is decoded at a half, a quarter or an eighth of its size.
 */
import { CogVLM2Error } from '../errors.ts';
import { decodeBmp, readBmpHeader } from './bmp.ts';
import {
  checkDimensions,
  DEFAULT_IMAGE_LIMITS,
  type ImageFormat,
  type ImageHeader,
  type ImageLimits,
  shrinkOnLoad,
  sniffFormat,
  unreadableImage,
} from './formats.ts';
import { limitWasmMemory } from './thread.ts';

export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3], row-major, 8 bit. */
  readonly data: Uint8Array;
}

export interface DecodedImage extends RgbImage {
  readonly format: ImageFormat;
  /** Notices for the answer, such as frames that were left out. One sentence each. */
  readonly warnings: readonly string[];
}

interface Decoded {
  readonly width: number;
  readonly height: number;
  /** [height, width, channels] */
  readonly data: Uint8Array;
  readonly channels: 3 | 4;
  readonly warnings: readonly string[];
}

/**
 * Reads the header without decoding the image.
 * @throws CogVLM2Error invalid_image, engine_unavailable (sharp does not load)
 */
export async function readImageHeader(bytes: Uint8Array): Promise<ImageHeader> {
  const format = sniffFormat(bytes);
  if (format === null) throw unreadableImage(bytes, `The image (${bytes.byteLength} bytes)`);
  if (format === 'bmp') {
    const { width, height } = attempt(format, bytes, () => readBmpHeader(bytes));
    return { format, width, height, isProgressive: false };
  }
  const { width, height, isProgressive = false } = await readMetadata(bytes, format);
  return { format, width, height, isProgressive };
}

/**
 * Decodes an image file; of several frames or pages, the first.
 * @throws CogVLM2Error invalid_image, image_too_large, engine_unavailable (sharp does not load)
 */
export async function decodeImage(
  bytes: Uint8Array,
  limits: Partial<ImageLimits> = {},
): Promise<DecodedImage> {
  const all = { ...DEFAULT_IMAGE_LIMITS, ...limits };
  const header = await readImageHeader(bytes);
  const { format } = header;
  checkDimensions(header, all);
  const decoded = await decoderOf(format)(bytes, header, all);
  const { width, height, data, channels, warnings } = decoded;
  if (channels === 3) return { width, height, data, format, warnings };
  const composed = compositeAlpha(data);
  return { width, height, data: composed.data, format, warnings: [...warnings, ...composed.warnings] };
}

type Decoder = (bytes: Uint8Array, header: ImageHeader, limits: ImageLimits) => Promise<Decoded>;

function decoderOf(format: ImageFormat): Decoder {
  if (format === 'bmp') return decodeBitmap;
  return format === 'heic' ? decodeHeic : decodeWithSharp;
}

const decodeWithSharp: Decoder = async (bytes, header, limits) => {
  const { format } = header;
  const sharp = await loadSharp();
  const metadata = await readMetadata(bytes, format);
  const { depth = 'uchar', channels: storedChannels, autoOrient, pages = 1 } = metadata;
  if (depth !== 'uchar' && depth !== 'ushort' && depth !== 'char' && depth !== 'short') {
    throw new CogVLM2Error(
      'invalid_image',
      `The ${format.toUpperCase()} image has samples of the type ${depth}; only 8 and 16 bits are supported. Convert it to 8 bits.`,
    );
  }
  const warnings =
    pages > 1
      ? [
          `The ${format.toUpperCase()} has ${pages} ${format === 'tiff' ? 'pages' : 'frames'}; only the first is used.`,
        ]
      : [];
  let image = sharp(bytes, {
    limitInputPixels: false, // checked above
    failOn: 'error', // truncated files are errors, as in Pillow; warnings are not
    ignoreIcc: true,
    sequentialRead: true,
  }).autoOrient();
  const shrink = shrinkOnLoad(header, limits);
  if (shrink > 1) {
    const [width, height] = [autoOrient.width, autoOrient.height].map((side) =>
      Math.max(1, Math.floor(side / shrink)),
    );
    // At this ratio libvips decodes the JPEG at the smaller scale.
    image = image.resize({ width: width!, height: height!, fit: 'fill', kernel: 'cubic' });
  }
  try {
    if (depth === 'ushort' && storedChannels === 1) {
      const { data, info } = await image
        .toColourspace('grey16')
        .raw({ depth: 'ushort' })
        .toBuffer({ resolveWithObject: true });
      const grey = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
      return { width: info.width, height: info.height, data: greyToRgb(grey), channels: 3, warnings };
    }
    const { data, info } = await image
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3 && channels !== 4) throw new Error(`${channels} channels`);
    return { width, height, data, channels, warnings };
  } catch (error) {
    throw damaged(format, bytes, error);
  }
};

const decodeBitmap: Decoder = async (bytes) => ({
  ...attempt('bmp', bytes, () => decodeBmp(bytes)),
  channels: 4,
  warnings: [],
});

/** libheif decodes, and applies the file's rotation and cropping. */
const decodeHeic: Decoder = async (bytes, header, limits) => {
  const { default: decode } = await import('heic-decode');
  try {
    const images = await decode.all({ buffer: bytes });
    const { width, height, data } = await images[0]!.decode();
    checkDimensions({ ...header, width, height }, limits);
    const warnings =
      images.length > 1 ? [`The HEIC has ${images.length} images; only the first is used.`] : [];
    return {
      width,
      height,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      channels: 4,
      warnings,
    };
  } catch (error) {
    throw error instanceof CogVLM2Error ? error : damaged('heic', bytes, error);
  }
};

/** [pixels] of 16 bits to [pixels, 3] of 8. Cameras and scanners store unscaled 12-bit samples, label images unscaled 8-bit ones. */
function greyToRgb(grey: Uint16Array): Uint8Array {
  let largest = 0;
  for (const value of grey) if (value > largest) largest = value;
  const shift = largest < 256 ? 0 : largest < 4096 ? 4 : 8;
  const rgb = new Uint8Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) rgb.fill(grey[i]! >> shift, i * 3, i * 3 + 3);
  return rgb;
}

async function readMetadata(bytes: Uint8Array, format: ImageFormat) {
  const sharp = await loadSharp();
  try {
    // Without sharp's own limit, so that our message can contain the size.
    return await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw damaged(format, bytes, error);
  }
}

function attempt<T>(format: ImageFormat, bytes: Uint8Array, work: () => T): T {
  try {
    return work();
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
    `The ${format.toUpperCase()} image (${bytes.byteLength} bytes) is damaged or truncated: ${why}.`,
    { cause },
  );
}

type Sharp = typeof import('sharp')['default'];
let loading: Promise<Sharp> | undefined;

/** Enough for libheif's planes and the RGBA of 64 megapixels. */
const maxWasmBytes = 768 * 2 ** 20;

/** For a thread of images, at its start. Limits its memory, and loads sharp: if that fails, the first image reports it. */
export function prepareDecoders(): void {
  limitWasmMemory(() => maxWasmBytes);
  loadSharp().catch(() => {});
}

/** Loaded with the first image, so that programs without images (`--help`, text only) do not load a native library. */
export function loadSharp(): Promise<Sharp> {
  loading ??= import('sharp').then(
    ({ default: sharp }) => {
      // The format is detected before sharp sees the bytes. As a second protection, all other parsers (SVG, PDF, ImageMagick)
      // are blocked for the whole process, in case libvips detects another format.
      sharp.block({ operation: ['VipsForeignLoad'] });
      sharp.unblock({
        operation: [
          'VipsForeignLoadPngBuffer',
          'VipsForeignLoadJpegBuffer',
          'VipsForeignLoadWebpBuffer',
          'VipsForeignLoadNsgifBuffer',
          'VipsForeignLoadTiffBuffer',
          'VipsForeignLoadHeifBuffer',
        ],
      });
      sharp.cache(false);
      return sharp;
    },
    (error: unknown) => {
      throw new CogVLM2Error(
        'engine_unavailable',
        'The image decoder (the npm package "sharp") does not load on this machine: reinstall it for this platform.',
        { cause: error },
      );
    },
  );
  return loading;
}

// Transparency is composited on white, or on black if the image would be invisible on white.

/** An image with fewer levels than this is invisible. */
const invisibleSpan = 16;

/**
 * @param rgba [pixels, 4]; it is overwritten
 * @returns [pixels, 3], and notices for the answer
 */
function compositeAlpha(rgba: Uint8Array): { data: Uint8Array; warnings: string[] } {
  const { isOpaque, isInvisible, spanOnWhite, spanOnBlack } = survey(rgba);
  const warnings: string[] = [];
  let ground = 255;
  if (isInvisible) {
    warnings.push('The image is fully transparent: the model sees plain white.');
  } else if (!isOpaque && spanOnWhite < invisibleSpan && spanOnBlack >= invisibleSpan) {
    ground = 0;
    warnings.push(
      'The image is light on a transparent background and invisible on white: black is used as its background.',
    );
  }
  return { data: blend(rgba, ground), warnings };
}

/** alpha x colour + (1 - alpha) x background, rounded to the nearest level. */
function over(colour: number, alpha: number, ground: number): number {
  return Math.floor((colour * alpha + ground * (255 - alpha) + 127) / 255);
}

/** In place: pixel i of the result is before pixel i of the input. */
function blend(rgba: Uint8Array, ground: number): Uint8Array {
  const pixels = rgba.length / 4;
  for (let i = 0, from = 0, to = 0; i < pixels; i++, from += 4, to += 3) {
    const alpha = rgba[from + 3]!;
    for (let c = 0; c < 3; c++) {
      const colour = rgba[from + c]!;
      rgba[to + c] = alpha === 255 ? colour : over(colour, alpha, ground);
    }
  }
  return rgba.subarray(0, pixels * 3);
}

function survey(rgba: Uint8Array) {
  let [leastOnWhite, mostOnWhite, leastOnBlack, mostOnBlack] = [255, 0, 255, 0];
  let [leastAlpha, mostAlpha] = [255, 0];
  for (let at = 0; at < rgba.length; at += 4) {
    const alpha = rgba[at + 3]!;
    if (alpha < leastAlpha) leastAlpha = alpha;
    if (alpha > mostAlpha) mostAlpha = alpha;
    for (let c = 0; c < 3; c++) {
      const light = over(rgba[at + c]!, alpha, 255);
      const dark = over(rgba[at + c]!, alpha, 0);
      if (light < leastOnWhite) leastOnWhite = light;
      if (light > mostOnWhite) mostOnWhite = light;
      if (dark < leastOnBlack) leastOnBlack = dark;
      if (dark > mostOnBlack) mostOnBlack = dark;
    }
  }
  return {
    isOpaque: leastAlpha === 255,
    isInvisible: mostAlpha === 0,
    spanOnWhite: mostOnWhite - leastOnWhite,
    spanOnBlack: mostOnBlack - leastOnBlack,
  };
}

/** Encodes pixels as a PNG, without loss. @param pixels [height, width, channels], opaque */
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
