/** Detects the formats that the server reads from the first bytes, because a file's name and type may be wrong. */
const SENT_FORMATS = ['image/png', 'image/jpeg', 'image/webp'] as const;
export type SentFormat = (typeof SENT_FORMATS)[number];

export async function formatOf(file: Blob): Promise<SentFormat | null> {
  const bytes = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const text = String.fromCharCode(...bytes);
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (text.startsWith('RIFF') && text.slice(8) === 'WEBP') return 'image/webp';
  return null;
}
