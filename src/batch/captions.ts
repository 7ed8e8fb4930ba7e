/** Writes captions beside images: `photo.txt` for `photo.png`. Tools that train image models read this layout. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { fsPath } from '../files/input-file.ts';
import { writeFileWhole } from '../files/writing.ts';
import type { AnswerLine, Item } from './output.ts';
import type { BrokenSource, Source } from './sources.ts';

export interface CaptionOptions {
  readonly prefix: string;
  readonly suffix: string;
}

export class Captions {
  readonly #options: CaptionOptions;
  readonly #existing = new Set<string>();

  /**
   * @throws CogVLM2Error invalid_value if two images have the same caption file, an image has several questions, or an input
   * is not a file
   */
  constructor(sources: readonly (Source | BrokenSource)[], options: CaptionOptions) {
    this.#options = options;
    const images = new Map<string, string>();
    for (const source of sources) {
      if ('problem' in source) continue;
      if (!('path' in source.location)) {
        throw invalid(`${source.input} is a data URL. A caption can only be written beside a file.`);
      }
      if (source.questions.length > 1) {
        throw invalid(`${source.input} has ${source.questions.length} questions. A caption is one answer.`);
      }
      const file = captionFile({ input: source.input, page: source.page });
      const other = images.get(file);
      if (other !== undefined && other !== source.input) {
        throw invalid(
          `${other} and ${source.input} would have the same caption file, ${file}. Rename one of them.`,
        );
      }
      images.set(file, source.input);
    }
  }

  /** The batch skips an image that has a caption, so it never overwrites a text. */
  has(item: Item): boolean {
    const file = captionFile(item);
    if (!existsSync(fsPath(file))) return false;
    this.#existing.add(file);
    return true;
  }

  /** How many images were skipped because they have a caption. */
  get skipped(): number {
    return this.#existing.size;
  }

  /** Line breaks of the answer become spaces, because training tools read one caption per line. */
  write(line: AnswerLine): void {
    const text = line.answer.replaceAll(/\s*\n\s*/g, ' ').trim();
    const { prefix, suffix } = this.#options;
    writeFileWhole(captionFile(line), `${prefix}${text}${suffix}\n`);
  }
}

/** `photo.txt`; `letter.page-2.txt` for a page of a PDF. */
function captionFile({ input, page }: Pick<Item, 'input' | 'page'>): string {
  const { dir, name } = path.parse(input);
  return path.join(dir, `${name}${page === null ? '' : `.page-${page}`}.txt`);
}

function invalid(message: string): CogVLM2Error {
  return new CogVLM2Error('invalid_value', message);
}
