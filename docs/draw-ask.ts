/**
 * Draws docs/ask.png, the picture of the READMEs: a picture, and what a terminal shows when it is asked about. What
 * stands in the terminal is what the built program wrote just then: npx tsx docs/draw-ask.ts
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const root = fileURLToPath(new URL('../', import.meta.url));
const picture = 'examples/pictures/receipt.png';
const questions = ['What is the total?', 'What is the date?', 'What is the name of the shop?'];

/** Pixels: around everything, from line to line, and one character of 13 pixels' height. */
const [margin, line, character] = [32, 23, 7.83];
const columns = 104;

/** A terminal's lines, wrapped at its width, each with its colour. */
const shown: { text: string; colour: string }[] = [];
const write = (text: string, colour: string) => {
  for (const row of text.trimEnd().split('\n')) {
    for (let i = 0; i < Math.max(1, row.length); i += columns)
      shown.push({ text: row.slice(i, i + columns), colour });
  }
};

for (const question of questions) {
  const run = spawnSync(process.execPath, ['dist/cli/main.js', 'ask', picture, question], {
    cwd: root,
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(run.stderr);
  if (shown.length > 0) write('', '');
  write(`$ npx cogvlm2 ask ${picture} "${question}"`, '#7ee787');
  write(run.stderr, '#8b949e');
  write(run.stdout, '#f0f6fc');
}

const receipt = await sharp(root + picture).metadata();
const left = margin * 2 + (receipt.width ?? 0);
const height = Math.max(receipt.height ?? 0, (shown.length + 3) * line) + margin * 2;
const escapeXml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const rows = shown.map(
  ({ text, colour }, i) =>
    `<text x="${left + 20}" y="${margin + 64 + i * line}" fill="${colour}" xml:space="preserve">${escapeXml(text)}</text>`,
);
const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
  (colour, i) => `<circle cx="${left + 24 + i * 20}" cy="${margin + 22}" r="6" fill="${colour}"/>`,
);
const panel = Math.ceil(columns * character) + 40;
const width = left + panel + margin;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"
  font-family="DejaVu Sans Mono, monospace" font-size="13">
  <rect width="100%" height="100%" fill="#ffffff"/>
  <rect x="${left}" y="${margin}" width="${panel}" height="${height - margin * 2}" rx="10" fill="#0d1117"/>
  ${dots.join('')}${rows.join('\n')}
</svg>`;
const top = Math.round((height - (receipt.height ?? 0)) / 2);
await sharp(Buffer.from(svg))
  .composite([{ input: readFileSync(root + picture), left: margin, top }])
  .png({ palette: true, effort: 10 })
  .toFile(`${root}docs/ask.png`);
