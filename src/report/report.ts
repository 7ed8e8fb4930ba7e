/** What `cogvlm2 report` does: results files in, one HTML and one Markdown file out. */
import { writeFileWhole } from '../files/atomic-file.ts';
import { contentsOf } from './contents.ts';
import { renderHtml } from './html.ts';
import { renderMarkdown } from './markdown.ts';
import { readResults, rowsOf } from './measured.ts';

export interface ReportOptions {
  /** Results files of `cogvlm2 eval`. */
  readonly files: readonly string[];
  /** Data files or folders that the results were made from; the wrong answers get their pictures from them. */
  readonly data: readonly string[];
  readonly htmlFile: string;
  readonly markdownFile: string;
  /** Most wrong answers that a benchmark shows. */
  readonly wrongLimit: number;
}

/** @throws CogVLM2Error file_not_found, invalid_value, write_failed */
export async function writeReport({
  files,
  data,
  htmlFile,
  markdownFile,
  wrongLimit,
}: ReportOptions): Promise<void> {
  const contents = contentsOf(rowsOf(files.map(readResults)), wrongLimit);
  const pictures =
    data.length === 0 ? new Map() : await (await import('./pictures.ts')).picturesOf(contents, data);
  writeFileWhole(htmlFile, renderHtml(contents, pictures));
  writeFileWhole(markdownFile, renderMarkdown(contents));
}
