/** What `cogvlm2 report` does: results files in, one HTML and one Markdown file out. */
import { writeFileWhole } from '../atomic-file.ts';
import { contentsOf } from './contents.ts';
import { renderHtml } from './html.ts';
import { renderMarkdown } from './markdown.ts';
import { readResults, rowsOf } from './measured.ts';

export interface ReportOptions {
  /** Results files of `cogvlm2 eval`. */
  readonly files: readonly string[];
  readonly htmlFile: string;
  readonly markdownFile: string;
  /** Most wrong answers that a benchmark shows. */
  readonly wrongLimit: number;
}

/** @throws CogVLM2Error file_not_found, invalid_value, write_failed */
export async function writeReport({
  files,
  htmlFile,
  markdownFile,
  wrongLimit,
}: ReportOptions): Promise<void> {
  const contents = contentsOf(rowsOf(files.map(readResults)), wrongLimit);
  writeFileWhole(htmlFile, renderHtml(contents, new Map()));
  writeFileWhole(markdownFile, renderMarkdown(contents));
}
