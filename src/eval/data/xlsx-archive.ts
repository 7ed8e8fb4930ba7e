/** The parts of a workbook, which is a zip file of XML files. Only requested parts are unpacked, as streams, with limits. */
import { SaxesParser } from 'saxes';
import yauzl, { type Entry, type ZipFile } from 'yauzl';

/** Limit of an unpacked part. A packed part can be a thousand times smaller. */
const maxPartBytes = 64 * 2 ** 20;
const maxParts = 10_000;

export class Archive implements Disposable {
  readonly #zip: ZipFile;
  readonly #parts: ReadonlyMap<string, Entry>;

  private constructor(zip: ZipFile, parts: ReadonlyMap<string, Entry>) {
    this.#zip = zip;
    this.#parts = parts;
  }

  /** @throws Error for a file that is not a zip file. */
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

  /** Undefined if there is none. The stream fails if the part is longer than stated in the archive. @throws XlsxError. */
  async part(name: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const entry = this.#parts.get(name);
    if (entry === undefined) return undefined;
    if (entry.isEncrypted()) throw new XlsxError(`${name} needs a password; save the workbook without one`);
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

export interface XmlListener {
  /** Names are without their prefixes. */
  open(name: string, attributes: Readonly<Record<string, string>>): void;
  /** All text up to the next tag. */
  text?(text: string): void;
  close?(name: string): void;
}

/** Workbooks stay far below these limits. The parser keeps open elements and attributes in memory. */
const maxDepth = 64;
const maxAttributes = 64;

/** Entities other than the five of XML are an error, so nothing is expanded. @throws Error for text that is not XML. */
export async function readXml(chunks: AsyncIterable<Uint8Array>, listener: XmlListener): Promise<void> {
  const parser = new SaxesParser<{ xmlns: false; position: false }>({ xmlns: false, position: false });
  let depth = 0;
  let attributes = 0;
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentagstart', () => {
    attributes = 0;
    depth += 1;
    if (depth > maxDepth) throw new XlsxError(`its elements are nested more than ${maxDepth} deep`);
  });
  parser.on('attribute', () => {
    attributes += 1;
    if (attributes > maxAttributes)
      throw new XlsxError(`an element has more than ${maxAttributes} attributes`);
  });
  parser.on('opentag', ({ name, attributes }) => listener.open(withoutPrefix(name), attributes));
  parser.on('text', (text) => listener.text?.(text));
  parser.on('cdata', (text) => listener.text?.(text));
  parser.on('closetag', ({ name }) => {
    depth -= 1;
    listener.close?.(withoutPrefix(name));
  });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of chunks) parser.write(decoder.decode(chunk, { stream: true }));
  parser.write(decoder.decode()).close();
}

export function withoutPrefix(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

/** A fault of a workbook. The message continues a sentence after "cannot be read:". */
export class XlsxError extends Error {}
