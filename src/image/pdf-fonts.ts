/// <reference types="emscripten" />
/**
 * Fonts for text whose font is not in the PDF. PDFium asks for each such font (FPDF_SYSFONTINFO in its header
 * fpdf_sysfontinfo.h); it has Latin letters and a few symbols itself.
 */
import { readFileSync } from 'node:fs';
import type { WrappedPdfiumModule } from '@embedpdf/pdfium';
import { chooseFont, codePage, type FontFace, findFonts, hasName } from './fonts.ts';

/** PDFium's character sets (FXFONT_*_CHARSET). */
const codePageOfCharset: Readonly<Record<number, number>> = {
  128: codePage.japanese,
  129: codePage.korean,
  134: codePage.simplifiedChinese,
  136: codePage.traditionalChinese,
  161: codePage.greek,
  163: codePage.vietnamese,
  177: codePage.hebrew,
  178: codePage.arabic,
  204: codePage.cyrillic,
  222: codePage.thai,
  238: codePage.latin2,
};

/** The fonts that PDFium draws best itself. */
const builtIn = /^(?:Helvetica|Times|Courier|Symbol|ZapfDingbats)(?:$|-)/;

interface OpenFont {
  readonly face: FontFace;
  readonly file: Buffer;
}

export class PdfFonts {
  /** Code pages that a font must have where PDFium does not ask for one, because the text of the document needs them. */
  wanted = 0;
  readonly #pdfium: WrappedPdfiumModule['pdfium'];
  readonly #open: OpenFont[] = [];
  #faces: FontFace[] | undefined;

  /** PDFium keeps asking this object, for as long as it lives. */
  constructor({ pdfium, FPDF_SetSystemFontInfo }: WrappedPdfiumModule) {
    this.#pdfium = pdfium;
    const callbacks: readonly (readonly [(...args: number[]) => number | undefined, signature: string])[] = [
      [() => undefined, 'vi'], // Release
      [() => undefined, 'vii'], // EnumFonts
      [
        (_, weight, italic, charset, __, name) => this.#map(weight!, italic !== 0, charset!, name!),
        'iiiiiiii',
      ],
      [() => 0, 'iii'], // GetFont
      [(_, font, table, buffer, size) => this.#data(font!, table!, buffer!, size!), 'iiiiii'],
      [(_, font, buffer, size) => this.#name(font!, buffer!, size!), 'iiiii'],
      [() => 1, 'iii'], // GetFontCharset: FXFONT_DEFAULT_CHARSET
      [() => undefined, 'vii'], // DeleteFont
    ];
    const struct = pdfium.wasmExports.malloc(4 * (1 + callbacks.length));
    pdfium.setValue(struct, 1, 'i32');
    callbacks.forEach(([callback, signature], i) => {
      pdfium.setValue(struct + 4 * (i + 1), pdfium.addFunction(callback, signature), 'i32');
    });
    FPDF_SetSystemFontInfo(struct);
  }

  /** MapFont. @returns the number of an open font, or 0: PDFium then draws with its own, which may lack the characters */
  #map(weight: number, isItalic: boolean, charset: number, namePointer: number): number {
    const name = this.#pdfium.UTF8ToString(namePointer);
    const codePages = codePageOfCharset[charset] ?? this.wanted;
    if (codePages === 0 && builtIn.test(name)) return 0;
    this.#faces ??= findFonts();
    const face = chooseFont(this.#faces, { name, codePages, weight, isItalic });
    if (face === undefined || (codePages === 0 && !hasName(face, name))) return 0;
    const known = this.#open.findIndex((font) => font.face === face);
    if (known >= 0) return known + 1;
    return this.#open.push({ face, file: readFileSync(face.path) });
  }

  /**
   * GetFontData: a table by its tag, the whole font (0), or the whole collection ("ttcf"). Of a collection, the whole font
   * is what follows its beginning: by that size, PDFium finds which of the fonts is meant.
   * @returns the size in bytes, and the bytes where the buffer holds them
   */
  #data(font: number, tag: number, buffer: number, size: number): number {
    const { face, file } = this.#open[font - 1]!;
    const part = tag === 0 ? file.subarray(face.offset) : tableOf(file, face.offset, tag);
    if (part === undefined) return 0;
    if (buffer !== 0 && size >= part.byteLength) this.#pdfium.HEAPU8.set(part, buffer);
    return part.byteLength;
  }

  /** GetFaceName. PDFium keeps fonts by this name, so each has its own. */
  #name(font: number, buffer: number, size: number): number {
    const name = Buffer.from(`font ${font}\0`);
    if (buffer !== 0 && size >= name.byteLength) this.#pdfium.HEAPU8.set(name, buffer);
    return name.byteLength;
  }
}

const collectionTag = 0x74746366; // "ttcf"

function tableOf(file: Buffer, offset: number, tag: number): Buffer | undefined {
  if (tag === collectionTag) return file.readUInt32BE(0) === collectionTag ? file : undefined;
  const count = file.readUInt16BE(offset + 4);
  for (let i = 0; i < count; i++) {
    const at = offset + 12 + 16 * i;
    if (file.readInt32BE(at) !== (tag | 0)) continue;
    const from = file.readUInt32BE(at + 8);
    return file.subarray(from, from + file.readUInt32BE(at + 12));
  }
  return undefined;
}

/** The code pages of the characters' scripts, together. */
export function codePagesFor(characters: Iterable<string>): number {
  let pages = 0;
  for (const character of characters) {
    for (const [script, page] of scripts) if (script.test(character)) pages |= page;
  }
  return pages;
}

const scripts: readonly (readonly [RegExp, number])[] = [
  [/\p{Script=Cyrillic}/u, codePage.cyrillic],
  [/\p{Script=Greek}/u, codePage.greek],
  [/\p{Script=Hebrew}/u, codePage.hebrew],
  [/\p{Script=Arabic}/u, codePage.arabic],
  [/\p{Script=Thai}/u, codePage.thai],
  [/[\u1ea0-\u1ef9\u01a0-\u01b0]/u, codePage.vietnamese],
  [/[\u0100-\u017f]/u, codePage.latin2],
  [/\p{Script=Hangul}/u, codePage.korean],
  [/[\p{Script=Hiragana}\p{Script=Katakana}]/u, codePage.japanese],
  [/\p{Script=Han}/u, codePage.simplifiedChinese],
];
