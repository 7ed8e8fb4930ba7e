import type { RgbImage } from './decode.ts';

/** In pixels; right and bottom are the first ones outside. */
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

/** Pixels [height, width, 3] that are drawn on. What lies outside is cut off. */
export class Canvas {
  readonly data: Uint8Array;
  readonly #width: number;
  readonly #height: number;

  /** Takes over the pixels of the image. */
  constructor({ data, width, height }: RgbImage) {
    this.data = data;
    this.#width = width;
    this.#height = height;
  }

  /** The inner edge of a rectangle. */
  outline({ left, top, right, bottom }: Rectangle, stroke: number, color: Color): void {
    const end = { x: Math.max(right, left + stroke), y: Math.max(bottom, top + stroke) };
    this.fill({ left, top, right: end.x, bottom: top + stroke }, color);
    this.fill({ left, top: end.y - stroke, right: end.x, bottom: end.y }, color);
    this.fill({ left, top, right: left + stroke, bottom: end.y }, color);
    this.fill({ left: end.x - stroke, top, right: end.x, bottom: end.y }, color);
  }

  fill({ left, top, right, bottom }: Rectangle, color: Color, opacity = 1): void {
    for (let y = Math.max(0, top); y < Math.min(this.#height, bottom); y++)
      for (let x = Math.max(0, left); x < Math.min(this.#width, right); x++) this.#mix(x, y, color, opacity);
  }

  /** White text. */
  white({ width, height, data }: TextMask, left: number, top: number): void {
    for (let y = 0; y < Math.min(height, this.#height - top); y++) {
      for (let x = 0; x < Math.min(width, this.#width - left); x++)
        this.#mix(left + x, top + y, [255, 255, 255], (data[y * width + x] ?? 0) / 255);
    }
  }

  #mix(x: number, y: number, color: Color, opacity: number): void {
    const at = 3 * (y * this.#width + x);
    for (const [channel, value] of color.entries()) {
      const before = this.data[at + channel] ?? 0;
      this.data[at + channel] = Math.round(before + (value - before) * opacity);
    }
  }
}
