/**
 * Builds the chat page: one HTML file with its script, its style and its example pictures in it, and a content
 * security policy that allows exactly those. `npm run build` runs it.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';
import sharp from 'sharp';

const here = fileURLToPath(new URL('./', import.meta.url));
const target = fileURLToPath(new URL('../dist/web/', import.meta.url));

/**
 * The example pictures in 16 colours, as lossless WebP: 17 kB of the page rather than 40 in all their colours, and the
 * demonstration model answers the same.
 */
const pictures: Plugin = {
  name: 'pictures',
  setup({ onLoad }) {
    onLoad({ filter: /\.png$/ }, async ({ path }) => {
      const inFewColours = await sharp(path).png({ palette: true, colours: 16, dither: 0 }).toBuffer();
      const webp = await sharp(inFewColours).webp({ lossless: true, effort: 6 }).toBuffer();
      return { contents: webp.toString('base64'), loader: 'text' };
    });
  },
};

/** Temml's style without its font: what script letters and primes gain by it is not worth 9 kB of the page. */
const temmlStyle: Plugin = {
  name: 'temml-style',
  setup({ onLoad }) {
    onLoad({ filter: /Temml-Local\.css$/ }, async ({ path }) => {
      const css = await readFile(path, 'utf8');
      return { contents: css.replace(/@font-face \{[^}]*\}/, ''), loader: 'css' };
    });
  },
};

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [here + entry],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: ['chrome111', 'firefox113', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    plugins: [pictures, temmlStyle],
    logLevel: 'warning',
  });
  return outputFiles[0]?.text.trim() ?? '';
}

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

const [script, style, shell, icon] = await Promise.all([
  bundle('main.tsx'),
  bundle('style/page.css'),
  readFile(`${here}index.html`, 'utf8'),
  readFile(`${here}icon.svg`),
]);
const parts: Record<string, string> = {
  script: `<script>${script}</script>`,
  style: `<style>${style}</style>`,
  icon: `data:image/svg+xml;base64,${icon.toString('base64')}`,
  policy: [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    'img-src data: blob:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; '),
};
const page = shell.replace(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name] ?? '');

await mkdir(target, { recursive: true });
await writeFile(`${target}index.html`, page);
console.log(`dist/web/index.html: ${(gzipSync(page).length / 1000).toFixed(1)} kB gzipped`);
