/** `cogvlm2 report`: writes one HTML and one Markdown file from results files. */

import { CogVLM2Error } from '../../errors.ts';
import { writeFileWhole } from '../../files/writing.ts';
import { loadSharp } from '../../image/decode.ts';
import { DataSet } from '../data/data-set.ts';
import { dataFiles } from '../data/files.ts';
import { fingerprintOf } from '../run/fingerprint.ts';
import { type Contents, contentsOf, type WrongAnswer } from './contents.ts';
import { type Images, renderHtml } from './html.ts';
import { renderMarkdown } from './markdown.ts';
import { readResults, rowsOf } from './measured.ts';

export interface ReportOptions {
  /** Results files of `cogvlm2 eval`. */
  readonly files: readonly string[];
  /** Data files or folders that the results were made from, for the images of wrong answers. */
  readonly data: readonly string[];
  readonly htmlFile: string;
  readonly markdownFile: string;
  /** Maximum number of wrong answers for each benchmark. */
  readonly wrongLimit: number;
}

/** @throws CogVLM2Error `file_not_found`, `invalid_value`, `write_failed`. */
export async function writeReport({
  files,
  data,
  htmlFile,
  markdownFile,
  wrongLimit,
}: ReportOptions): Promise<void> {
  const contents = contentsOf(rowsOf(files.map(readResults)), wrongLimit);
  const images = data.length === 0 ? new Map() : await imagesOf(contents, data);
  writeFileWhole(htmlFile, renderHtml(contents, images));
  writeFileWhole(markdownFile, renderMarkdown(contents));
}

// The images of wrong answers, reduced so that a page can have a hundred of them.

const longestSide = 640;

/**
 * The fingerprints in the results tell which of them were made from `data`.
 * @throws CogVLM2Error `file_not_found`; `invalid_value` for data that no results were made from.
 */
async function imagesOf({ wrong }: Contents, data: readonly string[]): Promise<Images> {
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
          : [{ answer, id: answer.id, group: answer.id, rowNumber: answer.source.row }],
      );
      for await (const question of set.questions(planned)) {
        const { answer } = planned.find(({ rowNumber }) => rowNumber === question.rowNumber)!;
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
    const sharp = await loadSharp();
    const bytes = await sharp(await image)
      .resize(size)
      .webp()
      .toBuffer();
    return `data:image/webp;base64,${bytes.toString('base64')}`;
  } catch {
    return undefined;
  }
}
