/** The pictures of the wrong answers, small enough for a page that holds a hundred of them. */
import sharp from 'sharp';
import { CogVLM2Error } from '../errors.ts';
import { DataSet } from '../eval/data/data-set.ts';
import { dataFiles } from '../eval/data/files.ts';
import { fingerprintOf } from '../eval/fingerprint.ts';
import type { Contents } from './contents.ts';
import type { Pictures } from './html.ts';
import type { WrongAnswer } from './wrong.ts';

const longestSide = 640;

/**
 * Of the questions of the results that were made from `data`, which is told by the fingerprints in them.
 * @throws CogVLM2Error file_not_found; invalid_value for data that none of the results were made from
 */
export async function picturesOf({ wrong }: Contents, data: readonly string[]): Promise<Pictures> {
  const pictures = new Map<WrongAnswer, string>();
  for (const path of data) {
    let used = false;
    for (const { benchmark, shown } of wrong) {
      const { fingerprint } = await fingerprintOf(await dataFiles(benchmark, [path]));
      const of = shown.filter(({ source }) => source.results.settings?.data.fingerprint === fingerprint);
      if (of.length === 0) continue;
      used = true;
      // Goes over all of the data, so only for the benchmark whose data they are.
      await using set = await DataSet.open(benchmark, [path]);
      const planned = of.flatMap((answer) =>
        answer.source.row === null
          ? []
          : [{ answer, id: answer.id, group: answer.id, place: answer.source.row }],
      );
      for await (const question of set.questions(planned)) {
        const { answer } = planned.find(({ place }) => place === question.place)!;
        const url =
          'error' in question || question.pictureCount === 0 ? undefined : await small(question.picture(0));
        if (url !== undefined) pictures.set(answer, url);
      }
    }
    if (!used && wrong.some(({ shown }) => shown.length > 0))
      throw new CogVLM2Error(
        'invalid_value',
        `None of the results with wrong answers were made from ${path} as it is now.`,
      );
  }
  return pictures;
}

/** A data URL; undefined for what is no picture, of which the results themselves say so. */
async function small(picture: Promise<Uint8Array>): Promise<string | undefined> {
  try {
    const size = {
      width: longestSide,
      height: longestSide,
      fit: 'inside',
      withoutEnlargement: true,
    } as const;
    const bytes = await sharp(await picture)
      .resize(size)
      .webp()
      .toBuffer();
    return `data:image/webp;base64,${bytes.toString('base64')}`;
  } catch {
    return undefined;
  }
}
