/** Accepted image formats and limits. The format is detected from the first bytes, not from names or media types. */
import { CogVLM2Error } from '../errors.ts';
import { lfsPointerIn } from '../files/input-file.ts';

/** The supported formats. */
export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'bmp' | 'tiff' | 'avif' | 'heic';

/** The supported formats, for messages. */
export const readableFormats = 'PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF and HEIC';

/** Their media types. */
export const readableTypes: readonly string[] = [
  'png',
  'jpeg',
  'webp',
  'gif',
  'bmp',
  'tiff',
  'avif',
  'heic',
].map((format) => `image/${format}`);

/** File names of images. Used only to list folders; the bytes decide what a file is. */
export const imageFileName = /\.(?:png|jpe?g|webp|gif|bmp|tiff?|heic|heif|avif)$/i;

/** File names of videos. `.ts` is missing because most files with that name are TypeScript. */
export const videoFileName = /\.(?:mp4|m4v|mov|3gp|webm|mkv|avi|mpe?g|mts|m2ts|flv|wmv|asf|ogv)$/i;

/** Detects the format from the first bytes; null if it is not supported. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | null {
  if (startsWith(bytes, '\x89PNG\r\n\x1a\n')) return 'png';
  if (startsWith(bytes, '\xff\xd8\xff')) return 'jpeg';
  if (startsWith(bytes, 'RIFF') && startsWith(bytes.subarray(8), 'WEBP')) return 'webp';
  if (startsWith(bytes, 'GIF87a') || startsWith(bytes, 'GIF89a')) return 'gif';
  if (['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((magic) => startsWith(bytes, magic))) return 'tiff';
  if (isBmp(bytes)) return 'bmp';
  const brands = ftypBrands(bytes);
  if (brands.some((brand) => avifBrands.has(brand))) return 'avif';
  if (brands.some((brand) => heicBrands.has(brand))) return 'heic';
  return null;
}

/** Detects a video from the first bytes (4,096 are enough). Containers of images, such as HEIC, are not videos. */
export function isVideo(bytes: Uint8Array): boolean {
  if (startsWith(bytes, '\x1aE\xdf\xa3') || startsWith(bytes, 'FLV\x01') || startsWith(bytes, 'OggS'))
    return true;
  if (startsWith(bytes, 'RIFF') && startsWith(bytes.subarray(8), 'AVI ')) return true;
  if (startsWith(bytes, '\x30\x26\xb2\x75\x8e\x66\xcf\x11') || startsWith(bytes, '\0\0\x01\xba')) return true;
  // Packets of an MPEG transport stream; those of a camera have their times in front.
  if ([0, 1, 2].every((packet) => bytes[188 * packet] === 0x47)) return true;
  if ([0, 1, 2].every((packet) => bytes[192 * packet + 4] === 0x47)) return true;
  const isIsoMedia = ['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip'].some((box) =>
    startsWith(bytes.subarray(4), box),
  );
  return isIsoMedia && sniffFormat(bytes) === null;
}

/** Detects a PDF. Its signature may follow up to 1,024 other bytes. */
export function isPdf(bytes: Uint8Array): boolean {
  return sniffFormat(bytes) === null && Buffer.from(bytes.subarray(0, 1029)).includes('%PDF-');
}

/**
 * The error for bytes in an unsupported format, with the real format and the remedy.
 * @param subject the beginning of the message, such as the file's name
 * @param readable the supported formats, for the message
 */
export function unreadableImage(
  bytes: Uint8Array,
  subject: string,
  readable = `${readableFormats} images`,
): CogVLM2Error {
  const { name, advice } = other(bytes);
  const text = `${subject} is ${name}; ${readable} are read.`;
  return new CogVLM2Error('invalid_image', advice === undefined ? text : `${text} ${advice}`);
}

interface Other {
  readonly name: string;
  readonly advice?: string;
}

const convert = 'Convert it to PNG or JPEG first.';
const exportFirst = 'Export it as PNG or JPEG first.';

function other(bytes: Uint8Array): Other {
  const pointer = lfsPointerIn(bytes);
  if (pointer !== undefined) return { name: pointer };
  for (const [magic, known] of others) if (startsWith(bytes, magic)) return known;
  if (ftypBrands(bytes).length > 0) {
    return { name: 'a video or another ISO media file', advice: 'Save one frame of it as PNG or JPEG.' };
  }
  const text = Buffer.from(bytes.subarray(0, 1024))
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '');
  if (/^P[1-7][\s#]/.test(text)) return { name: 'a PPM, PGM or PBM image', advice: convert };
  if (/^\s*(?:<\?xml[^>]*>|<!--[\s\S]*?-->|<!doctype svg[^>]*>|\s)*<svg[\s>]/i.test(text)) {
    return { name: 'an SVG', advice: exportFirst };
  }
  if (/^\s*<(?:!doctype html|html)/i.test(text)) {
    return {
      name: 'an HTML page',
      advice: 'It was probably saved in place of the image: download the image itself.',
    };
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters tell data from text
  return { name: /[\x00-\x08\x0e-\x1f]/.test(text) ? 'unknown data' : 'text' };
}

const others: readonly (readonly [magic: string, Other])[] = [
  ['%PDF-', { name: 'a PDF' }],
  ['\0\0\x01\0', { name: 'an ICO', advice: convert }],
  ['\0\0\x02\0\0\0\0\0\0\0\0\0', { name: 'a TGA image', advice: convert }],
  ['\0\0\x0a\0\0\0\0\0\0\0\0\0', { name: 'a TGA image', advice: convert }],
  ['\0\0\0\x0cJXL \r\n\x87\n', { name: 'a JPEG XL image', advice: convert }],
  ['\xff\x0a', { name: 'a JPEG XL image', advice: convert }],
  ['\0\0\0\x0cjP  \r\n\x87\n', { name: 'a JPEG 2000 image', advice: convert }],
  ['\xff\x4f\xff\x51', { name: 'a JPEG 2000 image', advice: convert }],
  ['8BPS', { name: 'a Photoshop document (PSD)', advice: exportFirst }],
  ['gimp xcf', { name: 'a GIMP image (XCF)', advice: exportFirst }],
  ['v/1\x01', { name: 'an OpenEXR image', advice: convert }],
  ['#?RADIANCE', { name: 'a Radiance HDR image', advice: convert }],
  ['qoif', { name: 'a QOI image', advice: convert }],
  ['DDS ', { name: 'a DDS texture', advice: convert }],
  ['AT&TFORM', { name: 'a DjVu document', advice: 'Convert it to PDF first.' }],
  ['%!PS', { name: 'a PostScript file', advice: 'Convert it to PDF first.' }],
  [
    '\0\0\0\0\0\0\0\0',
    { name: 'a file that begins with zero bytes', advice: 'Its download or copy did not complete.' },
  ],
  [
    'PK\x03\x04',
    { name: 'a ZIP archive (or an Office document)', advice: 'Export its pages as PDF, or unpack it.' },
  ],
  ['\x1f\x8b', { name: 'a gzip archive', advice: 'Unpack it first.' }],
  ['\x1aE\xdf\xa3', { name: 'a Matroska or WebM video', advice: 'Save one frame of it as PNG or JPEG.' }],
];

const avifBrands = new Set(['avif', 'avis']);
const heicBrands = new Set(['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis', 'mif1', 'msf1']);

/** Major and compatible brands of an ISO base media file; empty for anything else. */
function ftypBrands(bytes: Uint8Array): string[] {
  if (!startsWith(bytes.subarray(4), 'ftyp')) return [];
  const box = Buffer.from(bytes.subarray(0, 256));
  const end = Math.min(box.length, box.readUInt32BE(0));
  const brands = [box.toString('latin1', 8, 12)];
  for (let at = 16; at + 4 <= end; at += 4) brands.push(box.toString('latin1', at, at + 4));
  return brands;
}

/** Text can also begin with "BM", so the size in the second header is checked. */
function isBmp(bytes: Uint8Array): boolean {
  if (!startsWith(bytes, 'BM') || bytes.byteLength < 26) return false;
  return [12, 40, 52, 56, 64, 108, 124].includes(Buffer.from(bytes.subarray(14, 18)).readUInt32LE());
}

/** `magic` as latin-1: one character for each byte. */
function startsWith(bytes: Uint8Array, magic: string): boolean {
  for (let i = 0; i < magic.length; i++) if (bytes[i] !== magic.charCodeAt(i)) return false;
  return true;
}

/** Limits of an image. They are checked before decoding. */
export interface ImageLimits {
  /** Largest encoded image, in bytes. */
  readonly maxBytes: number;
  /** Largest number of decoded pixels. A JPEG file may have more, because it can be decoded at a smaller scale. */
  readonly maxPixels: number;
  /** Longest side, in pixels. */
  readonly maxSide: number;
  /** Longer side divided by the shorter side. */
  readonly maxAspectRatio: number;
}

/**
 * 64 MiB is enough for any camera's JPEG. 64 megapixels decode to 192 MB. 65,535 pixels is the longest side of a JPEG. The
 * model sees a square, so at ratios above 200 to 1 nothing in the image is recognizable.
 */
export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  maxBytes: 64 * 2 ** 20,
  maxPixels: 64_000_000,
  maxSide: 65_535,
  maxAspectRatio: 200,
};

/**
 * A JPEG file may have this many times `maxPixels` (256 megapixels by default). A progressive JPEG may have half of
 * that: its decoder keeps the coefficients of the whole image in memory.
 */
const baselineJpegFactor = 4;
const progressiveJpegFactor = 2;

export interface ImageHeader {
  readonly format: ImageFormat;
  /** As stored. A later rotation may exchange them. */
  readonly width: number;
  readonly height: number;
  readonly isProgressive: boolean;
}

/** @throws CogVLM2Error image_too_large with the size, the limit and the remedy */
export function checkDimensions(header: ImageHeader, limits: ImageLimits): void {
  const { width, height } = header;
  const size = `The image is ${width} x ${height} pixels`;
  const [shorter, longer] = [Math.min(width, height), Math.max(width, height)];
  if (longer > limits.maxSide) {
    throw tooLarge(`${size}; the limit for a side is ${limits.maxSide} pixels. Make it smaller, or cut it.`);
  }
  if (longer > shorter * limits.maxAspectRatio) {
    const ratio = Math.floor(longer / shorter);
    throw tooLarge(
      `${size}, a ratio of ${ratio} to 1; the limit is ${limits.maxAspectRatio} to 1. Cut it into parts.`,
    );
  }
  const maxPixels = maxFilePixels(header, limits);
  if (width * height > maxPixels) {
    throw tooLarge(
      `${size}, ${inMega(width * height)} megapixels; the limit for ${describe(header)} is ${inMega(maxPixels)}. Make it smaller.`,
    );
  }
}

/**
 * The scale at which a JPEG is decoded: 1, 2, 4 or 8, the least that fits `maxPixels`. 1 for other formats.
 */
export function shrinkOnLoad(header: ImageHeader, { maxPixels }: ImageLimits): number {
  let shrink = 1;
  while (shrink < 8 && Math.ceil(header.width / shrink) * Math.ceil(header.height / shrink) > maxPixels) {
    shrink *= 2;
  }
  return header.format === 'jpeg' ? shrink : 1;
}

function maxFilePixels({ format, isProgressive }: ImageHeader, { maxPixels }: ImageLimits): number {
  if (format !== 'jpeg') return maxPixels;
  return maxPixels * (isProgressive ? progressiveJpegFactor : baselineJpegFactor);
}

function describe({ format, isProgressive }: ImageHeader): string {
  if (format !== 'jpeg') return 'this format';
  return isProgressive ? 'a progressive JPEG' : 'a JPEG';
}

function inMega(pixels: number): string {
  return String(Math.round(pixels / 10_000) / 100);
}

function tooLarge(message: string): CogVLM2Error {
  return new CogVLM2Error('image_too_large', message);
}
