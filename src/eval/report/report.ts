/** `cogvlm2 report`: writes one HTML and one Markdown file from results files. */
import { writeFileWhole } from '../../files/atomic-file.ts';
import { contentsOf } from './contents.ts';
import { renderHtml } from './html.ts';
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
  const images = data.length === 0 ? new Map() : await (await import('./images.ts')).imagesOf(contents, data);
  writeFileWhole(htmlFile, renderHtml(contents, images));
  writeFileWhole(markdownFile, renderMarkdown(contents));
}
