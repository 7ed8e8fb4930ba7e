/** XML as it comes. Entities beyond XML's own five are an error of the parser, so none is ever expanded. */
import { SaxesParser } from 'saxes';
import { XlsxError } from './xlsx-error.ts';

export interface XmlListener {
  /** Names are without their prefixes. */
  open(name: string, attributes: Readonly<Record<string, string>>): void;
  /** All text up to the next tag. */
  text?(text: string): void;
  close?(name: string): void;
}

/** Workbooks stay far below both; the parser keeps all of it in memory. */
const maxDepth = 64;
const maxAttributes = 64;

/** @throws Error for what is not XML. */
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
