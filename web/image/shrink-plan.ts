/** Decides whether an image can be sent unchanged, or to what size it is resized. Pure. */

export interface ImageLimits {
  /** Maximum bytes of the image's file. */
  fileLimitBytes: number;
  pixelLimit: number;
}

/** Enough for a model that sees 1344 x 1344 pixels, also for a region of the image. */
const LONGEST_SIDE = 4096;

/** A request contains the image in base64 (four bytes for three) and some text. */
export function fileLimitBytes(bodyLimitBytes: number): number {
  return Math.max(1, Math.floor(((bodyLimitBytes - Math.min(256 * 1024, bodyLimitBytes / 4)) * 3) / 4));
}

/** Null: send the file unchanged. */
export function shrinkPlan(
  image: { width: number; height: number; sizeBytes: number; isSentFormat: boolean },
  limits: ImageLimits,
): { width: number; height: number } | null {
  const { width, height, sizeBytes, isSentFormat } = image;
  const isTooLarge = sizeBytes > limits.fileLimitBytes || width * height > limits.pixelLimit;
  if (isSentFormat && !isTooLarge) return null;
  if (!isTooLarge) return { width, height };
  return scaled(
    image,
    Math.min(1, LONGEST_SIDE / Math.max(width, height), Math.sqrt(limits.pixelLimit / (width * height))),
  );
}

/** Both sides by one factor, at least one pixel. */
export function scaled(
  size: { width: number; height: number },
  factor: number,
): { width: number; height: number } {
  return {
    width: Math.max(1, Math.floor(size.width * factor)),
    height: Math.max(1, Math.floor(size.height * factor)),
  };
}
