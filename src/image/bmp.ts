/**
 * A reader for Windows bitmaps: 1, 4, 8, 16, 24 and 32 bits, palettes, RLE, bit fields, both row orders. sharp has none, and
 * those on npm read odd widths, RLE or gaps before the pixels wrongly (tried: bmp-ts 1.0.9).
 *
 * Source of the layout: Microsoft, "Bitmap Storage" (BITMAPCOREHEADER, BITMAPINFOHEADER, BITMAPV4HEADER, BITMAPV5HEADER).
 */
interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly isTopDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Offsets of the pixels and of the palette. */
  readonly pixelsAt: number;
  readonly paletteAt: number;
  /** Bytes of a palette entry. */
  readonly entryBytes: number;
  readonly paletteSize: number;
  /** For red, green, blue and alpha. */
  readonly masks: readonly [number, number, number, number];
}

const compressions = { none: 0, rle8: 1, rle4: 2, bitFields: 3, alphaBitFields: 6 };

/** @throws Error with a short reason if the header is not supported */
export function readBmpHeader(bytes: Uint8Array): BmpHeader {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pixelsAt = file.readUInt32LE(10);
  const headerBytes = file.readUInt32LE(14);
  if (headerBytes === 12) {
    const bits = file.readUInt16LE(24);
    return {
      width: file.readUInt16LE(18),
      height: file.readUInt16LE(20),
      isTopDown: false,
      bits,
      compression: compressions.none,
      pixelsAt,
      paletteAt: 26,
      entryBytes: 3,
      paletteSize: bits <= 8 ? 2 ** bits : 0,
      masks: defaultMasks(bits),
    };
  }
  const [width, height] = [file.readInt32LE(18), file.readInt32LE(22)];
  const bits = file.readUInt16LE(28);
  const compression = file.readUInt32LE(30);
  const colors = file.readUInt32LE(46);
  if (width < 1 || height === 0) throw new Error(`its size is ${width} x ${height}`);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`${bits} bits a pixel`);
  if (!Object.values(compressions).includes(compression)) throw new Error(`compression ${compression}`);
  const hasMasks = compression === compressions.bitFields || compression === compressions.alphaBitFields;
  const hasAlphaMask = headerBytes >= 56 || compression === compressions.alphaBitFields;
  const mask = (i: number) => file.readUInt32LE(54 + 4 * i);
  // The masks follow the 40-byte header.
  const maskBytes = headerBytes === 40 && hasMasks ? (hasAlphaMask ? 16 : 12) : 0;
  return {
    width,
    height: Math.abs(height),
    isTopDown: height < 0,
    bits,
    compression,
    pixelsAt,
    paletteAt: 14 + headerBytes + maskBytes,
    entryBytes: 4,
    paletteSize: bits <= 8 ? Math.min(colors || 2 ** bits, 2 ** bits) : 0,
    masks: hasMasks ? [mask(0), mask(1), mask(2), hasAlphaMask ? mask(3) : 0] : defaultMasks(bits),
  };
}

/**
 * @returns [height, width, 4], RGBA. Alpha is 255 if the file has no alpha, or only zeros.
 * @throws Error with a short reason if the file is truncated or not supported
 */
export function decodeBmp(bytes: Uint8Array): { width: number; height: number; data: Uint8Array } {
  const header = readBmpHeader(bytes);
  const { width, height, compression } = header;
  const isRle = compression === compressions.rle8 || compression === compressions.rle4;
  const data = new Uint8Array(width * height * 4);
  const pixels = isRle ? undefined : bytes.subarray(header.pixelsAt);
  if (header.bits <= 8)
    paint(data, pixels ? unpackIndices(pixels, header) : expandRle(bytes, header), bytes, header);
  else unpackColors(data, pixels ?? bytes, header);
  if (!header.isTopDown) flip(data, width * 4, height);
  return { width, height, data };
}

function defaultMasks(bits: number): [number, number, number, number] {
  return bits === 16 ? [0x7c00, 0x03e0, 0x001f, 0] : [0xff0000, 0x00ff00, 0x0000ff, 0];
}

/** Rows are padded to 4 bytes. */
function rowBytesOf({ width, bits }: BmpHeader): number {
  return Math.ceil((width * bits) / 32) * 4;
}

function unpackIndices(pixels: Uint8Array, header: BmpHeader): Uint8Array {
  const { width, height, bits } = header;
  const rowBytes = rowBytesOf(header);
  // The last row may lack its padding.
  if (pixels.byteLength < rowBytes * (height - 1) + Math.ceil((width * bits) / 8))
    throw cut(pixels.byteLength);
  const indices = new Uint8Array(width * height);
  const perByte = 8 / bits;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = pixels[y * rowBytes + Math.floor(x / perByte)]!;
      indices[at++] = (byte >> (8 - bits * ((x % perByte) + 1))) & (2 ** bits - 1);
    }
  }
  return indices;
}

/** Pixels that the code skips keep index 0. */
function expandRle(bytes: Uint8Array, { width, height, bits, pixelsAt }: BmpHeader): Uint8Array {
  const indices = new Uint8Array(width * height);
  const perByte = 8 / bits;
  const indexIn = (byte: number, i: number) => (bits === 8 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);
  let [x, y, at] = [0, 0, pixelsAt];
  const put = (index: number) => {
    if (x < width && y < height) indices[y * width + x] = index;
    x++;
  };
  while (at + 1 < bytes.byteLength && y < height) {
    const [count, value] = [bytes[at]!, bytes[at + 1]!];
    at += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(indexIn(value, i));
    } else if (value === 0) {
      [x, y] = [0, y + 1];
    } else if (value === 1) {
      return indices;
    } else if (value === 2) {
      x += bytes[at] ?? 0;
      y += bytes[at + 1] ?? 0;
      at += 2;
    } else {
      const length = Math.ceil(value / perByte);
      if (at + length > bytes.byteLength) throw cut(bytes.byteLength);
      for (let i = 0; i < value; i++) put(indexIn(bytes[at + Math.floor(i / perByte)]!, i));
      at += length + (length % 2);
    }
  }
  if (y < height - 1) throw cut(bytes.byteLength);
  return indices;
}

function paint(data: Uint8Array, indices: Uint8Array, bytes: Uint8Array, header: BmpHeader): void {
  const { paletteAt, entryBytes, paletteSize } = header;
  for (let i = 0, at = 0; i < indices.length; i++, at += 4) {
    // An index beyond the palette is black, as in Windows.
    const entry = indices[i]! < paletteSize ? paletteAt + indices[i]! * entryBytes : bytes.byteLength;
    data[at] = bytes[entry + 2] ?? 0;
    data[at + 1] = bytes[entry + 1] ?? 0;
    data[at + 2] = bytes[entry] ?? 0;
    data[at + 3] = 255;
  }
}

function unpackColors(data: Uint8Array, pixels: Uint8Array, header: BmpHeader): void {
  const { width, height, bits, masks } = header;
  const rowBytes = rowBytesOf(header);
  const pixelBytes = bits / 8;
  if (pixels.byteLength < rowBytes * (height - 1) + width * pixelBytes) throw cut(pixels.byteLength);
  const [red, green, blue, alpha] = masks.map(channelOf);
  let opacity = 0;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      const from = y * rowBytes + x * pixelBytes;
      let value = pixels[from]! | (pixels[from + 1]! << 8);
      if (bits >= 24) value |= pixels[from + 2]! << 16;
      if (bits === 32) value = (value | (pixels[from + 3]! << 24)) >>> 0;
      data[to] = red!(value);
      data[to + 1] = green!(value);
      data[to + 2] = blue!(value);
      data[to + 3] = alpha!(value);
      opacity |= data[to + 3]!;
    }
  }
  if (opacity === 0) for (let at = 3; at < data.length; at += 4) data[at] = 255;
}

/** The bits of a mask, scaled to 0..255. */
function channelOf(mask: number): (value: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const largest = mask >>> shift;
  return (value) => Math.round((((value & mask) >>> shift) * 255) / largest);
}

function flip(data: Uint8Array, rowBytes: number, height: number): void {
  for (let top = 0, bottom = height - 1; top < bottom; top++, bottom--) {
    const row = data.slice(top * rowBytes, (top + 1) * rowBytes);
    data.copyWithin(top * rowBytes, bottom * rowBytes, (bottom + 1) * rowBytes);
    data.set(row, bottom * rowBytes);
  }
}

function cut(bytes: number): Error {
  return new Error(`${bytes} bytes are too few for its pixels`);
}
