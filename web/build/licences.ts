import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** The licences of the libraries in a bundle. */
export async function licencesOf(inputs: readonly string[]): Promise<string> {
  const folders = inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []);
  const licences = [...new Set(folders)].sort().map(async (folder) => {
    const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
    if (file === undefined) throw new Error(`${folder} has no licence to put beside the page.`);
    return `${path.basename(folder)}\n\n${await readFile(`${folder}/${file}`, 'utf8')}`;
  });
  return (await Promise.all(licences)).join(`\n${'-'.repeat(80)}\n`);
}
