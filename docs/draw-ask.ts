/**
 * Draws docs/ask.gif, the animation of the READMEs: an image, and a terminal in which it is asked about. The answers and
 * the waiting times are those of the built program, which runs here: npx tsx docs/draw-ask.ts
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const root = fileURLToPath(new URL('../', import.meta.url));
const runs = [
  ['examples/images/cafe-receipt.png', 'What is the total?'],
  ['examples/images/delivery-note.png', 'What is the date?'],
  ['examples/images/cafe-receipt-zh.png', '总计多少钱？'],
] as const;

/** Pixels: the whole drawing, the column of the image, from line to line. */
const [width, height, imageWidth, margin, line] = [1100, 420, 300, 28, 26];
const left = imageWidth + 2 * margin;
const typed = 6; // frames in which a command is typed
const [typingMs, readingMs] = [110, 2200];

interface Line {
  text: string;
  colour: string;
}

const escapeXml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** One frame: the image on the left, the terminal with its lines on the right. */
async function frame(image: string, lines: readonly Line[]): Promise<Buffer> {
  const texts = lines.map(
    ({ text, colour }, i) =>
      `<text x="${left + 20}" y="${margin + 66 + i * line}" fill="${colour}" xml:space="preserve">${escapeXml(text)}</text>`,
  );
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (colour, i) => `<circle cx="${left + 24 + i * 20}" cy="${margin + 22}" r="6" fill="${colour}"/>`,
  );
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="DejaVu Sans Mono, Noto Sans CJK SC, monospace" font-size="15">
    <rect width="100%" height="100%" fill="#e9ecef"/>
    <rect x="${left}" y="${margin}" width="${width - left - margin}" height="${height - 2 * margin}" rx="10" fill="#0d1117"/>
    ${dots.join('')}${texts.join('')}</svg>`;
  const input = await sharp(root + image)
    .resize(imageWidth, height - 2 * margin, { fit: 'inside' })
    .toBuffer({ resolveWithObject: true });
  const at = {
    left: margin + Math.round((imageWidth - input.info.width) / 2),
    top: Math.round((height - input.info.height) / 2),
  };
  return sharp(Buffer.from(svg))
    .composite([{ input: input.data, ...at }])
    .png()
    .toBuffer();
}

const frames: Buffer[] = [];
const delay: number[] = [];
const show = async (image: string, lines: readonly Line[], ms: number) => {
  frames.push(await frame(image, lines));
  delay.push(Math.round(ms));
};

const earlier: Line[] = [];
for (const [image, question] of runs) {
  const command = `npx cogvlm2 ask ${image.replace('examples/images/', '')} "${question}"`;
  for (let i = 1; i <= typed; i++) {
    const text = `$ ${command.slice(0, Math.ceil((command.length * i) / typed))}`;
    await show(image, [...earlier, { text, colour: '#7ee787' }], typingMs);
  }
  const start = performance.now();
  const run = spawnSync(process.execPath, ['dist/cli/main.js', 'ask', '--quiet', image, question], {
    cwd: root,
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(run.stderr);
  earlier.push({ text: `$ ${command}`, colour: '#7ee787' });
  await show(image, [...earlier, { text: '▌', colour: '#8b949e' }], performance.now() - start);
  earlier.push({ text: run.stdout.trimEnd(), colour: '#f0f6fc' }, { text: '', colour: '' });
  await show(image, earlier, readingMs);
}

const animation = await sharp(frames, { join: { animated: true } })
  .gif({ delay, loop: 0, colours: 64, effort: 10 })
  .toFile(`${root}docs/ask.gif`);
console.log(`docs/ask.gif: ${frames.length} frames, ${Math.round(animation.size / 1000)} kB`);
