/** Transparency, composited on a ground of one colour: white, or black for an image that would vanish on white. */

/** Levels that an image spans at most when nothing can be seen in it. */
const invisibleSpan = 16;

/**
 * @param rgba [pixels, 4]; it is overwritten
 * @returns [pixels, 3], and what the answer should say
 */
export function compositeAlpha(rgba: Uint8Array): { data: Uint8Array; warnings: string[] } {
  const { isOpaque, isInvisible, spanOnWhite, spanOnBlack } = survey(rgba);
  const warnings: string[] = [];
  let ground = 255;
  if (isInvisible) {
    warnings.push('The image is fully transparent: the model sees plain white.');
  } else if (!isOpaque && spanOnWhite < invisibleSpan && spanOnBlack >= invisibleSpan) {
    ground = 0;
    warnings.push(
      'The image is light on a transparent ground and cannot be seen on white: it was put on black.',
    );
  }
  return { data: blend(rgba, ground), warnings };
}

/** alpha x colour + (1 - alpha) x ground, rounded to the nearest level. */
function over(colour: number, alpha: number, ground: number): number {
  return Math.floor((colour * alpha + ground * (255 - alpha) + 127) / 255);
}

/** In place: pixel i of the result lies before pixel i of the input. */
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
