/**
 * Finds the font files that have the characters of a PDF: fonts of this machine, and the Noto fonts of the optional packages
 * @embedpdf/fonts-*. Only the tables that describe a font are read.
 *
 * Source of the layout: the OpenType specification, chapters "OpenType font file", "OS/2" and "name".
 */

import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WrappedPdfiumModule } from '@embedpdf/pdfium';

export interface FontFace {
  readonly path: string;
  /** Offset of the font in its file: 0, except in a collection (.ttc). */
  readonly offset: number;
  /** Family, full and PostScript names, in the form of `plainName`. */
  readonly names: readonly string[];
  /** 400 is regular, 700 bold. */
  readonly weight: number;
  readonly isItalic: boolean;
  /** ulCodePageRange1 of the OS/2 table: a bit for each code page that the font covers. */
  readonly codePages: number;
}

/** Bits of `codePages`. */
const codePage = {
  latin1: 1 << 0,
  latin2: 1 << 1,
  cyrillic: 1 << 2,
  greek: 1 << 3,
  hebrew: 1 << 5,
  arabic: 1 << 6,
  vietnamese: 1 << 8,
  thai: 1 << 16,
  japanese: 1 << 17,
  simplifiedChinese: 1 << 18,
  korean: 1 << 19,
  traditionalChinese: 1 << 20,
} as const;

interface FontWish {
  /** The name in the PDF. */
  readonly name: string;
  readonly codePages: number;
  readonly weight: number;
  readonly isItalic: boolean;
}

/**
 * Noto Sans SC also has the characters of Japanese and of traditional Chinese (its table does not say so), but no
 * Hangul.
 */
const packages = [
  { name: '@embedpdf/fonts-latin', file: 'NotoSans-Regular.ttf', codePages: 0 },
  { name: '@embedpdf/fonts-sc', file: 'NotoSansHans-Regular.otf', codePages: codePage.traditionalChinese },
  { name: '@embedpdf/fonts-kr', file: 'NotoSansKR-Regular.otf', codePages: 0 },
] as const;

const mostFiles = 5_000;
const mostNested = 8;

/** All font faces, first those of this machine. It takes a few milliseconds for each hundred. */
function findFonts(folders: readonly string[] = systemFolders()): FontFace[] {
  const files: string[] = [];
  for (const folder of folders) collect(folder, files, 0);
  return [...files.flatMap((file) => readFaces(file)), ...packageFaces()];
}

/** The font with that name and the code pages; otherwise the best font with the code pages; otherwise undefined. */
function chooseFont(faces: readonly FontFace[], wish: FontWish): FontFace | undefined {
  const able = faces.filter(({ codePages }) => (codePages & wish.codePages) === wish.codePages);
  const name = plainName(wish.name);
  const distance = (face: FontFace) =>
    (face.names.includes(name) ? 0 : 10_000) +
    (face.isItalic === wish.isItalic ? 0 : 1_000) +
    Math.abs(face.weight - wish.weight);
  let best: FontFace | undefined;
  for (const face of able) if (best === undefined || distance(face) < distance(best)) best = face;
  return best;
}

function hasName(face: FontFace, name: string): boolean {
  return face.names.includes(plainName(name));
}

/** "ABCDEF+Sim Sun,Bold" becomes "simsunbold": subset prefixes, spaces and punctuation differ between files. */
function plainName(name: string): string {
  return name
    .replace(/^[A-Z]{6}\+/, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
}

function systemFolders(): string[] {
  const home = os.homedir();
  if (process.platform === 'win32') {
    const { WINDIR = 'C:\\Windows', LOCALAPPDATA = path.join(home, 'AppData', 'Local') } = process.env;
    return [path.join(WINDIR, 'Fonts'), path.join(LOCALAPPDATA, 'Microsoft', 'Windows', 'Fonts')];
  }
  if (process.platform === 'darwin') {
    return [path.join(home, 'Library/Fonts'), '/Library/Fonts', '/System/Library/Fonts'];
  }
  const data = process.env.XDG_DATA_HOME ?? path.join(home, '.local/share');
  return [path.join(data, 'fonts'), path.join(home, '.fonts'), '/usr/local/share/fonts', '/usr/share/fonts'];
}

function collect(folder: string, files: string[], depth: number): void {
  let entries: ReturnType<typeof list>;
  try {
    entries = list(folder);
  } catch {
    return; // The folder does not exist or may not be read.
  }
  for (const entry of entries) {
    const at = path.join(folder, entry.name);
    if (files.length >= mostFiles) return;
    if (entry.isDirectory() && depth < mostNested) collect(at, files, depth + 1);
    else if (/\.(?:ttf|otf|ttc|otc)$/i.test(entry.name)) files.push(at);
  }
}

function list(folder: string) {
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function packageFaces(): FontFace[] {
  return packages.flatMap(({ name, file, codePages }) => {
    try {
      const entry = fileURLToPath(import.meta.resolve(name));
      const faces = readFaces(path.join(path.dirname(entry), '..', 'fonts', file));
      return faces.map((face) => ({ ...face, codePages: face.codePages | codePages }));
    } catch {
      return []; // an optional package
    }
  });
}

/** The faces in a file; none if it is damaged or not a font. */
function readFaces(file: string): FontFace[] {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const start = read(fd, 0, 12);
    if (start.toString('latin1', 0, 4) !== 'ttcf') return [readFace(fd, file, 0)];
    const count = Math.min(start.readUInt32BE(8), 64);
    const offsets = read(fd, 12, 4 * count);
    const open = fd;
    return Array.from({ length: count }, (_, i) => readFace(open, file, offsets.readUInt32BE(4 * i)));
  } catch {
    return [];
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function readFace(fd: number, file: string, offset: number): FontFace {
  const count = read(fd, offset, 12).readUInt16BE(4);
  const directory = read(fd, offset + 12, 16 * count);
  const table = (tag: string, most: number): Buffer => {
    for (let at = 0; at < directory.length; at += 16) {
      if (directory.toString('latin1', at, at + 4) !== tag) continue;
      return read(fd, directory.readUInt32BE(at + 8), Math.min(directory.readUInt32BE(at + 12), most));
    }
    throw new Error(`no table ${tag}`);
  };
  const os2 = table('OS/2', 100);
  return {
    path: file,
    offset,
    names: [...new Set(readNames(table('name', 2 ** 16)).map(plainName))],
    weight: os2.readUInt16BE(4),
    isItalic: (os2.readUInt16BE(62) & 1) === 1,
    codePages: os2.readUInt16BE(0) >= 1 ? os2.readInt32BE(78) : codePage.latin1,
  };
}

/** Family (1, 16), full (4) and PostScript (6) names, in all languages of the font. */
function readNames(table: Buffer): string[] {
  const count = table.readUInt16BE(2);
  const texts = table.readUInt16BE(4);
  const names: string[] = [];
  for (let at = 6; at < 6 + 12 * count && at + 12 <= table.length; at += 12) {
    if (![1, 4, 6, 16].includes(table.readUInt16BE(at + 6))) continue;
    const from = texts + table.readUInt16BE(at + 10);
    const text = Buffer.from(table.subarray(from, from + table.readUInt16BE(at + 8)));
    const isMacintosh = table.readUInt16BE(at) === 1;
    if (!isMacintosh && text.length % 2 !== 0) continue;
    names.push(isMacintosh ? text.toString('latin1') : text.swap16().toString('utf16le'));
  }
  return names;
}

function read(fd: number, at: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  if (readSync(fd, bytes, 0, sizeBytes, at) !== sizeBytes) throw new Error('cut short');
  return bytes;
}

/// <reference types="emscripten" />
/**
 * Supplies fonts that the PDF does not contain. PDFium asks for each of them (FPDF_SYSFONTINFO in its header
 * fpdf_sysfontinfo.h). It has Latin letters and a few symbols itself.
 */

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

/** Fonts for which PDFium's own are best. */
const builtIn = /^(?:Helvetica|Times|Courier|Symbol|ZapfDingbats)(?:$|-)/;

interface OpenFont {
  readonly face: FontFace;
  readonly file: Buffer;
}

export class PdfFonts {
  /** Code pages that the text of the document needs. A font must cover them if PDFium asks for no code page itself. */
  wanted = 0;
  readonly #pdfium: WrappedPdfiumModule['pdfium'];
  readonly #open: OpenFont[] = [];
  #faces: FontFace[] | undefined;

  /** PDFium keeps the pointers to this object during its lifetime. */
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

  /** MapFont. @returns the number of an open font, or 0: PDFium then uses its own, which may lack the characters */
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
   * GetFontData: a table by its tag, the whole font (0), or the whole collection ("ttcf"). For a font in a collection, the
   * whole font is the rest of the file from its offset. PDFium identifies the font by that size.
   * @returns the size in bytes; copies the bytes if the buffer is large enough
   */
  #data(font: number, tag: number, buffer: number, size: number): number {
    const { face, file } = this.#open[font - 1]!;
    const part = tag === 0 ? file.subarray(face.offset) : tableOf(file, face.offset, tag);
    if (part === undefined) return 0;
    if (buffer !== 0 && size >= part.byteLength) this.#pdfium.HEAPU8.set(part, buffer);
    return part.byteLength;
  }

  /** GetFaceName. PDFium caches fonts by this name, so each font has a different one. */
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

/** The code pages of the characters' scripts, combined. */
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
