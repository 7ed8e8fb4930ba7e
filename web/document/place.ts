/** Rectangles on an image, as shares of its width and height from 0 to 1. Pure. */
export interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Minimum share of the image's width and height. A smaller region was drawn by accident. */
const LEAST_SIDE = 0.01;

export function placeBetween(from: { x: number; y: number }, to: { x: number; y: number }): Place {
  const [left, right] = [clamp(Math.min(from.x, to.x)), clamp(Math.max(from.x, to.x))];
  const [top, bottom] = [clamp(Math.min(from.y, to.y)), clamp(Math.max(from.y, to.y))];
  return { x: left, y: top, width: right - left, height: bottom - top };
}

export function isLargeEnough({ width, height }: Place): boolean {
  return width >= LEAST_SIDE && height >= LEAST_SIDE;
}

/** Moves a place, or with `resizes` its lower right corner, and keeps it on the image. */
export function nudged(place: Place, dx: number, dy: number, resizes: boolean): Place {
  if (resizes) {
    const width = Math.min(Math.max(place.width + dx, LEAST_SIDE), 1 - place.x);
    const height = Math.min(Math.max(place.height + dy, LEAST_SIDE), 1 - place.y);
    return { ...place, width, height };
  }
  const x = Math.min(clamp(place.x + dx), 1 - place.width);
  const y = Math.min(clamp(place.y + dy), 1 - place.height);
  return { ...place, x, y };
}

/** In whole pixels of an image of this size, at least one each way. */
export function pixelsOf(place: Place, size: { width: number; height: number }): Place {
  const x = Math.min(size.width - 1, Math.floor(place.x * size.width));
  const y = Math.min(size.height - 1, Math.floor(place.y * size.height));
  const right = Math.ceil((place.x + place.width) * size.width);
  const bottom = Math.ceil((place.y + place.height) * size.height);
  return {
    x,
    y,
    width: Math.max(1, Math.min(right, size.width) - x),
    height: Math.max(1, Math.min(bottom, size.height) - y),
  };
}

/** Places on a marked region as places on the whole image. */
export function onWholeImage(places: readonly Place[], region: Place | null): Place[] {
  if (!region) return [...places];
  return places.map(({ x, y, width, height }) => ({
    x: region.x + x * region.width,
    y: region.y + y * region.height,
    width: width * region.width,
    height: height * region.height,
  }));
}

/** On the image rotated clockwise by a number of quarter turns. */
export function rotated(place: Place, quarterTurns: number): Place {
  const { x, y, width, height } = place;
  if (quarterTurns % 4 === 0) return place;
  return rotated({ x: clamp(1 - y - height), y: x, width: height, height: width }, (quarterTurns + 3) % 4);
}

export function isPlace(value: unknown): value is Place {
  if (typeof value !== 'object' || value === null) return false;
  const sides = ['x', 'y', 'width', 'height'].map((key): unknown => Reflect.get(value, key));
  return sides.every((side) => typeof side === 'number' && side >= 0 && side <= 1);
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
