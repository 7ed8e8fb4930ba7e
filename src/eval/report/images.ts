/** The images of wrong answers, reduced so that a page can hold a hundred of them. */

import sharp from 'sharp';
import { CogVLM2Error } from '../../errors.ts';
import { DataSet } from '../data/data-set.ts';
import { dataFiles } from '../data/files.ts';
import { fingerprintOf } from '../run/fingerprint.ts';
import type { Contents, WrongAnswer } from './contents.ts';
import type { Images } from './html.ts';

const longestSide = 640;

/**
 * The fingerprints in the results tell which of them were made from `data`.
 * @throws CogVLM2Error `file_not_found`; `invalid_value` for data that no results were made from.
 */
export async function imagesOf({ wrong }: Contents, data: readonly string[]): Promise<Images> {
  const images = new Map<WrongAnswer, string>();
  for (const path of data) {
    let used = false;
    for (const { benchmark, shown } of wrong) {
      const { fingerprint } = await fingerprintOf(await dataFiles(benchmark, [path]));
      const of = shown.filter(({ source }) => source.results.settings?.data.fingerprint === fingerprint);
      if (of.length === 0) continue;
      used = true;
      // This scans all data, so it is done only for the benchmark of the data.
      await using set = await DataSet.open(benchmark, [path]);
      const planned = of.flatMap((answer) =>
        answer.source.row === null
          ? []
          : [{ answer, id: answer.id, group: answer.id, place: answer.source.row }],
      );
      for await (const question of set.questions(planned)) {
        const { answer } = planned.find(({ place }) => place === question.place)!;
        const url =
          'error' in question || question.imageCount === 0 ? undefined : await small(question.image(0));
        if (url !== undefined) images.set(answer, url);
      }
    }
    if (!used && wrong.some(({ shown }) => shown.length > 0))
      throw new CogVLM2Error(
        'invalid_value',
        `No results with wrong answers were made from the current content of ${path}.`,
      );
  }
  return images;
}

/** A data URL; undefined for an image that cannot be read, which the results report. */
async function small(image: Promise<Uint8Array>): Promise<string | undefined> {
  try {
    const size = {
      width: longestSide,
      height: longestSide,
      fit: 'inside',
      withoutEnlargement: true,
    } as const;
    const bytes = await sharp(await image)
      .resize(size)
      .webp()
      .toBuffer();
    return `data:image/webp;base64,${bytes.toString('base64')}`;
  } catch {
    return undefined;
  }
}
