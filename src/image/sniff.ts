import { lfsPointerIn } from '../files/lfs-pointer.ts';

/** The formats that are decoded. */
export type ImageFormat = 'png' | 'jpeg' | 'webp';

/** The format that the first bytes announce, or null: files are believed by their bytes, not by their names. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | null {
  if (startsWith(bytes, '\x89PNG\r\n\x1a\n')) return 'png';
  if (startsWith(bytes, '\xff\xd8\xff')) return 'jpeg';
  if (startsWith(bytes, 'RIFF') && startsWith(bytes.subarray(8), 'WEBP')) return 'webp';
  return null;
}

/** Whether the bytes announce a PDF. Readers allow up to 1,024 bytes of other things before the mark. */
export function isPdf(bytes: Uint8Array): boolean {
  return sniffFormat(bytes) === null && Buffer.from(bytes.subarray(0, 1029)).includes('%PDF-');
}

/** A name for what the bytes are instead, for the message: "a GIF", "text", "unknown data". */
export function describeOther(bytes: Uint8Array): string {
  const pointer = lfsPointerIn(bytes);
  if (pointer !== undefined) return pointer;
  for (const [magic, name] of OTHERS) if (startsWith(bytes, magic)) return name;
  if (startsWith(bytes.subarray(4), 'ftyp')) return 'a HEIC, AVIF or video file';
  const text = Buffer.from(bytes.subarray(0, 512)).toString('latin1');
  if (/^\s*(?:<\?xml[\s\S]*)?<svg/i.test(text)) return 'an SVG';
  if (/^\s*<(?:!doctype|html)/i.test(text)) return 'an HTML page';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what tells data from text
  return /[\x00-\x08\x0e-\x1f]/.test(text) ? 'unknown data' : 'text';
}

const OTHERS: readonly (readonly [magic: string, name: string])[] = [
  ['GIF8', 'a GIF'],
  ['BM', 'a BMP'],
  ['II*\0', 'a TIFF'],
  ['MM\0*', 'a TIFF'],
  ['%PDF-', 'a PDF'],
  ['\0\0\x01\0', 'an ICO'],
  ['PK\x03\x04', 'a ZIP'],
];

/** `magic` as latin-1: one character is one byte. */
function startsWith(bytes: Uint8Array, magic: string): boolean {
  for (let i = 0; i < magic.length; i++) if (bytes[i] !== magic.charCodeAt(i)) return false;
  return true;
}
