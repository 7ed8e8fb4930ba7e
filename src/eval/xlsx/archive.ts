/** The zip file that a workbook is. Nothing of it is unpacked but the parts that are asked for, and those as streams. */
import type { Entry, ZipFile } from 'yauzl';
import yauzl from 'yauzl';
import { XlsxError } from './xlsx-error.ts';

/** What a part may be, unpacked: a thousand times what it is packed, so the limit is on this. */
const maxPartBytes = 64 * 2 ** 20;
const maxParts = 10_000;

export class Archive implements Disposable {
  readonly #zip: ZipFile;
  readonly #parts: ReadonlyMap<string, Entry>;

  private constructor(zip: ZipFile, parts: ReadonlyMap<string, Entry>) {
    this.#zip = zip;
    this.#parts = parts;
  }

  /** @throws Error for what is no zip file. */
  static async open(path: string): Promise<Archive> {
    const zip = await yauzl.openPromise(path, { autoClose: false });
    const parts = new Map<string, Entry>();
    try {
      for await (const entry of zip.eachEntry()) {
        parts.set(entry.fileName, entry);
        if (parts.size > maxParts) throw new XlsxError(`it has more than ${maxParts} parts`);
      }
      return new Archive(zip, parts);
    } catch (error) {
      zip.close();
      throw error;
    }
  }

  /** Undefined where there is none; the stream fails where more comes than the archive says. @throws XlsxError */
  async part(name: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const entry = this.#parts.get(name);
    if (entry === undefined) return undefined;
    if (entry.isEncrypted()) throw new XlsxError(`${name} asks for a password; save it without one`);
    if (entry.uncompressedSize > maxPartBytes) {
      throw new XlsxError(
        `${name} is ${entry.uncompressedSize} bytes when unpacked; it is read up to ${maxPartBytes}`,
      );
    }
    return await this.#zip.openReadStreamPromise(entry);
  }

  [Symbol.dispose](): void {
    this.#zip.close();
  }
}
