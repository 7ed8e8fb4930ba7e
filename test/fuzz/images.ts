/** Mutations of image files of every supported format, and of PDFs. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Format } from './formats.ts';
import { mutateBytes } from './mutate.ts';

function filesIn(folder: string, names: RegExp): string[] {
  const at = fileURLToPath(new URL(`../fixtures/${folder}/`, import.meta.url));
  return readdirSync(at)
    .filter((name) => names.test(name))
    .map((name) => path.join(at, name));
}

const mutationsOf =
  (files: readonly string[]) =>
  (folder: string): Format => ({
    kind: 'image',
    mutate(random) {
      const file = random.pick(files);
      const changed = path.join(folder, 'changed');
      const good = readFileSync(file);
      // Headers have the sizes and offsets.
      const to = random.chance(0.5) ? Math.min(good.length, 200) : good.length;
      writeFileSync(changed, mutateBytes(random, good, 0, to));
      return { path: changed, change: path.basename(file) };
    },
  });

export const imageFormat = mutationsOf([
  ...filesIn('images/formats', /\.(?:bmp|gif|tiff|avif|heic|webp|png)$/),
  ...filesIn('images', /^(?:tiny|one_pixel|palette|alpha|gray|photo|web)\.(?:png|jpg|webp)$/),
]);
export const pdfFormat = mutationsOf(filesIn('pdf', /\.pdf$/));
