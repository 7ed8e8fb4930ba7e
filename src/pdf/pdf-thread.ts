/** The thread with PDFium. The first request opens a document; each further request draws a page. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { init, type WrappedPdfiumModule } from '@embedpdf/pdfium';
import { CogVLM2Error } from '../errors.ts';
import { encodePng } from '../image/decode.ts';
import { type Answered, answerRequests, limitWasmMemory } from '../image/thread.ts';
import { codePagesFor, PdfFonts } from './fonts.ts';

export type PdfRequest =
  | { readonly open: Uint8Array }
  /** `page` is from 1. It is drawn with as many pixels as both sides allow. */
  | {
      readonly page: number;
      readonly shortSide: number;
      readonly longSide: number;
      readonly maxAspectRatio: number;
    };

export interface PdfReply {
  /** For the request that opens the document. */
  readonly pageCount: number;
  /** For the other requests: the page as a PNG. */
  readonly png: Uint8Array<ArrayBuffer> | null;
  /** Fonts whose text could not be drawn. */
  readonly missingFonts: readonly string[];
}

/** In addition to the file itself. */
const workBytes = 512 * 2 ** 20;
let fileBytes = 0;
limitWasmMemory(() => workBytes + fileBytes);

/** Constants of PDFium's fpdfview.h and fpdf_formfill.h. */
const errorPassword = 4;
const errorSecurity = 5;
const formatBgra = 4;
const drawAnnotations = 0x01;
const reverseByteOrder = 0x10; // RGBA, not BGRA
const white = 0xffffffff;

/** Characters of a page that are checked for missing glyphs. */
const mostCharacters = 50_000;

class Document {
  readonly #module: WrappedPdfiumModule;
  readonly #fonts: PdfFonts;
  readonly #address: number;
  readonly #sizeBytes: number;
  #document = 0;
  #formInfo = 0;
  #form = 0;

  constructor(module: WrappedPdfiumModule, fonts: PdfFonts, bytes: Uint8Array) {
    this.#module = module;
    this.#fonts = fonts;
    this.#sizeBytes = bytes.byteLength;
    this.#address = module.pdfium.wasmExports.malloc(bytes.byteLength);
    if (this.#address === 0)
      throw new CogVLM2Error('image_too_large', 'The PDF needs more memory than the limit of its decoder.');
    module.pdfium.HEAPU8.set(bytes, this.#address);
    this.#open();
  }

  get pageCount(): number {
    return this.#module.FPDF_GetPageCount(this.#document);
  }

  async draw(request: Exclude<PdfRequest, { open: unknown }>): Promise<PdfReply> {
    const page = this.#load(request.page);
    try {
      let missing = this.#missing(page.handle);
      const wanted = this.#fonts.wanted | codePagesFor(missing.characters);
      if (missing.characters.size > 0 && wanted !== this.#fonts.wanted) {
        // Opens the document again, with fonts for these scripts instead of PDFium's own.
        this.#fonts.wanted = wanted;
        this.#unload(page);
        this.#close();
        this.#open();
        Object.assign(page, this.#load(request.page));
        missing = this.#missing(page.handle);
      }
      const png = await this.#render(page.handle, request);
      return { pageCount: this.pageCount, png, missingFonts: [...missing.fonts] };
    } finally {
      this.#unload(page);
    }
  }

  #open(): void {
    const module = this.#module;
    this.#document = module.FPDF_LoadMemDocument(this.#address, this.#sizeBytes, '');
    if (this.#document === 0) throw openError(module.FPDF_GetLastError());
    this.#formInfo = module.PDFiumExt_OpenFormFillInfo();
    this.#form = module.PDFiumExt_InitFormFillEnvironment(this.#document, this.#formInfo);
  }

  #close(): void {
    this.#module.PDFiumExt_ExitFormFillEnvironment(this.#form);
    this.#module.FPDF_CloseDocument(this.#document);
    this.#module.PDFiumExt_CloseFormFillInfo(this.#formInfo);
  }

  #load(page: number): { handle: number } {
    const handle = this.#module.FPDF_LoadPage(this.#document, page - 1);
    if (handle === 0) throw broken(`page ${page} does not load`);
    this.#module.FORM_OnAfterLoadPage(handle, this.#form);
    return { handle };
  }

  #unload(page: { handle: number }): void {
    this.#module.FORM_OnBeforeClosePage(page.handle, this.#form);
    this.#module.FPDF_ClosePage(page.handle);
  }

  /** Characters without a glyph in fonts that are not embedded, and these fonts. */
  #missing(page: number): { characters: Set<string>; fonts: Set<string> } {
    const module = this.#module;
    const [characters, fonts] = [new Set<string>(), new Set<string>()];
    const seen = new Set<string>();
    const text = module.FPDFText_LoadPage(page);
    const count = Math.min(module.FPDFText_CountChars(text), mostCharacters);
    for (let i = 0; i < count; i++) {
      const unicode = module.FPDFText_GetUnicode(text, i);
      const object = module.FPDFText_GetTextObject(text, i);
      if (object === 0 || unicode === 0) continue;
      const character = String.fromCodePoint(unicode);
      const font = module.FPDFTextObj_GetFont(object);
      if (seen.has(`${font} ${character}`) || !/[\p{L}\p{N}\p{P}\p{S}]/u.test(character)) continue;
      seen.add(`${font} ${character}`);
      if (module.FPDFFont_GetIsEmbedded(font) !== 0 || module.FPDFFont_GetGlyphPath(font, unicode, 12) !== 0)
        continue;
      characters.add(character);
      fonts.add(this.#nameOf(font));
    }
    module.FPDFText_ClosePage(text);
    return { characters, fonts };
  }

  #nameOf(font: number): string {
    const { pdfium, FPDFFont_GetBaseFontName } = this.#module;
    const sizeBytes = 256;
    const address = pdfium.wasmExports.malloc(sizeBytes);
    const length = FPDFFont_GetBaseFontName(font, address, sizeBytes);
    const name = length > 0 && length <= sizeBytes ? pdfium.UTF8ToString(address) : 'a font without a name';
    pdfium.wasmExports.free(address);
    return name;
  }

  async #render(
    page: number,
    { page: number, shortSide, longSide, maxAspectRatio }: Exclude<PdfRequest, { open: unknown }>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const module = this.#module;
    const [pageWidth, pageHeight] = [module.FPDF_GetPageWidthF(page), module.FPDF_GetPageHeightF(page)];
    const [shorter, longer] = [Math.min(pageWidth, pageHeight), Math.max(pageWidth, pageHeight)];
    if (!(shorter > 0)) throw broken(`page ${number} has no size`);
    if (longer > shorter * maxAspectRatio) {
      throw new CogVLM2Error(
        'image_too_large',
        `Page ${number} of the PDF is ${Math.round(pageWidth)} x ${Math.round(pageHeight)} points; the limit is ${maxAspectRatio} to 1.`,
      );
    }
    const scale = Math.min(shortSide / shorter, longSide / longer);
    const [width, height] = [pageWidth, pageHeight].map((side) => Math.max(1, Math.round(side * scale)));
    const bitmap = module.FPDFBitmap_CreateEx(width!, height!, formatBgra, 0, 0);
    if (bitmap === 0)
      throw new CogVLM2Error('image_too_large', `Page ${number} of the PDF needs too much memory.`);
    try {
      const place = [0, 0, width!, height!, 0, drawAnnotations | reverseByteOrder] as const;
      module.FPDFBitmap_FillRect(bitmap, 0, 0, width!, height!, white);
      module.FPDF_RenderPageBitmap(bitmap, page, ...place);
      module.FPDF_FFLDraw(this.#form, bitmap, page, ...place);
      const address = module.FPDFBitmap_GetBuffer(bitmap);
      const rgba = module.pdfium.HEAPU8.slice(address, address + width! * height! * 4);
      return new Uint8Array(await encodePng(rgba, width!, height!));
    } finally {
      module.FPDFBitmap_Destroy(bitmap);
    }
  }
}

function openError(code: number): CogVLM2Error {
  if (code === errorPassword) {
    return new CogVLM2Error(
      'invalid_image',
      'The PDF is encrypted and needs a password: save a copy without a password, and use it.',
    );
  }
  return broken(
    code === errorSecurity ? 'its encryption is not supported' : 'its PDF structure is not readable',
  );
}

function broken(why: string): CogVLM2Error {
  return new CogVLM2Error('invalid_image', `The PDF is damaged or not supported: ${why}.`);
}

let document: Document | undefined;

answerRequests<PdfRequest, PdfReply>('The PDF', async (request): Promise<Answered<PdfReply>> => {
  if ('open' in request) {
    fileBytes = request.open.byteLength;
    const wasm = readFileSync(fileURLToPath(import.meta.resolve('@embedpdf/pdfium/pdfium.wasm')));
    const module = await init({ wasmBinary: new Uint8Array(wasm).buffer });
    module.FPDF_InitLibrary();
    document = new Document(module, new PdfFonts(module), request.open);
    return { reply: { pageCount: document.pageCount, png: null, missingFonts: [] }, transfer: [] };
  }
  if (document === undefined) throw broken('no document is open');
  const reply = await document.draw(request);
  return { reply, transfer: reply.png === null ? [] : [reply.png.buffer] };
});
