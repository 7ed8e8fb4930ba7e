/**
 * Builds the chat page: one HTML file with its script, style and example images, and a content security policy that allows only
 * these. The licences of its libraries are a second file. `npm run build` runs it.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { licencesOf } from './build/licences.ts';
import { images, temmlStyle } from './build/plugins.ts';

const here = fileURLToPath(new URL('./', import.meta.url));
const target = fileURLToPath(new URL('../dist/web/', import.meta.url));

async function bundle(entry: string) {
  const { outputFiles, metafile } = await build({
    entryPoints: [here + entry],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'iife',
    target: ['chrome111', 'firefox113', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    plugins: [images, temmlStyle],
    logLevel: 'warning',
  });
  return { text: outputFiles[0]?.text.trim() ?? '', inputs: Object.keys(metafile.inputs) };
}

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

const [script, style, shell, icon] = await Promise.all([
  bundle('main.tsx'),
  bundle('style/page.css'),
  readFile(`${here}index.html`, 'utf8'),
  readFile(`${here}icon.svg`),
]);
const parts: Record<string, string> = {
  script: `<script>${script.text}</script>`,
  style: `<style>${style.text}</style>`,
  icon: `data:image/svg+xml;base64,${icon.toString('base64')}`,
  policy: [
    "default-src 'none'",
    `script-src ${hash(script.text)}`,
    `style-src ${hash(style.text)}`,
    'img-src data: blob:',
    'media-src blob:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; '),
};
const page = shell.replace(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name] ?? '');

await mkdir(target, { recursive: true });
await writeFile(`${target}index.html`, page);
await writeFile(`${target}licences.txt`, await licencesOf(script.inputs));
console.log(`dist/web/index.html: ${(gzipSync(page).length / 1000).toFixed(1)} kB gzipped`);
