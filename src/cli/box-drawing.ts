/** `ask --draw`: the boxes of the answers on the image. */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { writeFileWhole } from '../files/atomic-file.ts';
import type { Answer } from '../generate/types.ts';
import type { ImageFile } from '../image/source.ts';
import type { Context } from './command.ts';
import { formatCount } from './format.ts';

const endings = ['.png', '.jpg', '.jpeg', '.webp'];

/**
 * Before the model is loaded.
 * @param image the argument that names the image; null without one
 * @throws CogVLM2Error `invalid_value`
 */
export function checkDrawing(file: string, image: string | null): void {
  const fail = (why: string) => new CogVLM2Error('invalid_value', `--draw ${file}: ${why}`);
  if (image === null) throw fail('there is no image to draw on.');
  if (!endings.includes(path.extname(file).toLowerCase()))
    throw fail(`the file must end with ${endings.join(', ')}.`);
  if (realPath(file) !== undefined && realPath(file) === realPath(image))
    throw fail('this is the image itself; give the drawing another name.');
}

function realPath(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined; // It does not exist, or it is a data URL.
  }
}

/** @returns what was done, as a sentence */
export async function drawAnswers(
  { library }: Context,
  image: ImageFile,
  answers: readonly Answer[],
  file: string,
): Promise<string> {
  const boxes = answers.flatMap((answer) => answer.boxes ?? []);
  if (boxes.length === 0) {
    return `no answer has a box such as [[086,540,400,760]], so ${file} was not written. Grounding models write them when the question asks for coordinates.`;
  }
  const drawn = boxes.map(({ phrase, box }) => ({ label: phrase, box }));
  const bytes = await library.drawBoxes(image, drawn, path.extname(file));
  writeFileWhole(file, bytes);
  return `${file} has ${formatCount(boxes.length)} ${boxes.length === 1 ? 'box' : 'boxes'}.`;
}
