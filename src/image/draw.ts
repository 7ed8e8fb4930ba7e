import { CogVLM2Error } from '../errors.ts';
import { decodeImage, encodePng, loadSharp, type RgbImage } from './decode.ts';
import type { ImageFile } from './source.ts';

/** In pixels; right and bottom are exclusive. */
interface Rectangle {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export type Color = readonly [red: number, green: number, blue: number];

/** How much of each pixel a text covers: [height, width], 0 to 255. */
export interface TextMask {
  width: number;
  height: number;
  data: Uint8Array;
}

/** Pixels [height, width, 3] to draw on. Drawing outside has no effect. */
export class Canvas {
  readonly data: Uint8Array;
  readonly #width: number;
  readonly #height: number;

  /** Modifies the pixels of the image. */
  constructor({ data, width, height }: RgbImage) {
    this.data = data;
    this.#width = width;
    this.#height = height;
  }

  /** Draws a border inside the rectangle. */
  outline({ left, top, right, bottom }: Rectangle, stroke: number, color: Color): void {
    const end = { x: Math.max(right, left + stroke), y: Math.max(bottom, top + stroke) };
    this.fill({ left, top, right: end.x, bottom: top + stroke }, color);
    this.fill({ left, top: end.y - stroke, right: end.x, bottom: end.y }, color);
    this.fill({ left, top, right: left + stroke, bottom: end.y }, color);
    this.fill({ left: end.x - stroke, top, right: end.x, bottom: end.y }, color);
  }

  fill({ left, top, right, bottom }: Rectangle, color: Color, opacity = 1): void {
    for (let y = Math.max(0, top); y < Math.min(this.#height, bottom); y++)
      for (let x = Math.max(0, left); x < Math.min(this.#width, right); x++)
        this.#blend(x, y, color, opacity);
  }

  /** Draws white text. */
  white({ width, height, data }: TextMask, left: number, top: number): void {
    for (let y = 0; y < Math.min(height, this.#height - top); y++) {
      for (let x = 0; x < Math.min(width, this.#width - left); x++)
        this.#blend(left + x, top + y, [255, 255, 255], (data[y * width + x] ?? 0) / 255);
    }
  }

  #blend(x: number, y: number, color: Color, opacity: number): void {
    const at = 3 * (y * this.#width + x);
    for (const [channel, value] of color.entries()) {
      const before = this.data[at + channel] ?? 0;
      this.data[at + channel] = Math.round(before + (value - before) * opacity);
    }
  }
}

export interface DrawnBox {
  /** '' means no label. */
  label: string;
  /** Left, top, right and bottom as fractions of the image. Parts outside are not drawn. */
  box: readonly [number, number, number, number];
}

/** The label of a box smaller than this share of the longer side is below the box. */
const smallShare = 100 / 1920;
const labelColor = [128, 128, 128] as const;
const labelOpacity = 0.63;

/**
 * The image, upright and on white, with a coloured border for each box and its label inside, at the lower left. Boxes with
 * the same label have the same colour. Labels need a font on this machine; without one they are not drawn.
 * @param ending file name extension of the result: .png, .jpg, .jpeg or .webp
 * @throws CogVLM2Error invalid_image, image_too_large, invalid_value (another ending), engine_unavailable
 */
export async function drawBoxes(
  image: ImageFile,
  boxes: readonly DrawnBox[],
  ending: string,
): Promise<Uint8Array> {
  const format = ending.toLowerCase().slice(1);
  if (format !== 'png' && format !== 'jpg' && format !== 'jpeg' && format !== 'webp') {
    throw new CogVLM2Error(
      'invalid_value',
      `Boxes are drawn into .png, .jpg, .jpeg and .webp files; got "${ending}".`,
    );
  }
  const decoded = await decodeImage(image.bytes);
  const { width, height } = decoded;
  const canvas = new Canvas(decoded);
  const labels = [...new Set(boxes.map(({ label }) => label))];
  const longer = Math.max(width, height);
  const stroke = Math.max(1, Math.round((5 * longer) / 1920));
  for (const { label, box } of boxes) {
    const [left = 0, top = 0, right = 0, bottom = 0] = box.map((value, i) =>
      Math.round(Math.min(1, Math.max(0, value)) * (i % 2 === 0 ? width : height)),
    );
    canvas.outline({ left, top, right, bottom }, stroke, hueColor(labels.indexOf(label) / labels.length));
    if (label === '') continue;
    const fontSize = Math.max(10, Math.round((26 * longer) / 1920));
    const margin = Math.ceil(fontSize / 5);
    const text = await renderText(label, fontSize, width - 2 * margin);
    const plate = { width: text.width + 2 * margin, height: text.height + 2 * margin };
    const isSmall = Math.min(right - left, bottom - top) < smallShare * longer;
    const x = Math.max(0, Math.min(left, width - plate.width));
    const y = Math.max(0, Math.min(isSmall ? bottom : bottom - plate.height, height - plate.height));
    canvas.fill(
      { left: x, top: y, right: x + plate.width, bottom: y + plate.height },
      labelColor,
      labelOpacity,
    );
    canvas.white(text, x + margin, y + margin);
  }
  const sharp = await loadSharp();
  const drawn = sharp(canvas.data, { raw: { width, height, channels: 3 } });
  return format === 'png'
    ? drawn.png().toBuffer()
    : drawn.toFormat(format === 'webp' ? 'webp' : 'jpeg', { quality: 92 }).toBuffer();
}

/** One line of text, at most `mostWidth` pixels wide. */
async function renderText(label: string, fontSize: number, mostWidth: number): Promise<TextMask> {
  const sharp = await loadSharp();
  const rendered = await sharp({
    text: { text: markup(label), font: `sans ${fontSize}`, dpi: 72, rgba: true, wrap: 'word' },
  })
    .extractChannel('alpha')
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch(() => null); // no font: nothing to draw
  if (rendered === null) return { width: 0, height: 0, data: new Uint8Array(0) };
  const { data, info } = rendered;
  const width = Math.max(0, Math.min(info.width, mostWidth));
  if (width === info.width) return { width, height: info.height, data };
  const cut = new Uint8Array(width * info.height);
  for (let y = 0; y < info.height; y++)
    cut.set(data.subarray(y * info.width, y * info.width + width), y * width);
  return { width, height: info.height, data: cut };
}

/** Escapes a label for Pango markup: one line, at most 80 characters. */
function markup(label: string): string {
  const line = Array.from(label.replaceAll(/\p{Cc}/gu, ' '))
    .slice(0, 80)
    .join('');
  return line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** A bright colour. @param hue 0 to 1 around the colour wheel */
function hueColor(hue: number): Color {
  const channel = (shift: number) => {
    const distance = Math.abs(((((hue + shift) % 1) + 1) % 1) * 6 - 3);
    return Math.round(255 * Math.min(1, Math.max(0, distance - 1)));
  };
  return [channel(0), channel(-1 / 3), channel(1 / 3)];
}

// An image with highlighted regions, as a PNG.

/** Fractions (0 to 1) of the image's width and height. */
export interface MarkedRegion {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** RGB colors of the groups; they repeat. */
const COLORS = [
  [194, 65, 12],
  [15, 107, 99],
  [79, 70, 229],
] as const;
const FILL = 0.3;

/** @param groups regions; each group has its own color. @throws CogVLM2Error as `decodeImage` */
export async function markedImage(
  bytes: Uint8Array,
  groups: readonly (readonly MarkedRegion[])[],
): Promise<Uint8Array> {
  const image = await decodeImage(bytes);
  const canvas = new Canvas(image);
  const border = Math.max(1, Math.round(Math.min(image.width, image.height) / 200));
  for (const [i, places] of groups.entries()) {
    const color = COLORS[i % COLORS.length] ?? COLORS[0];
    for (const { x, y, width, height } of places) {
      const place = {
        left: Math.round(x * image.width),
        top: Math.round(y * image.height),
        right: Math.round((x + width) * image.width),
        bottom: Math.round((y + height) * image.height),
      };
      canvas.fill(place, color, FILL);
      canvas.outline(place, border, color);
    }
  }
  return encodePng(canvas.data, image.width, image.height, 3);
}
