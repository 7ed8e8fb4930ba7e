/**
 * Sends hostile videos to a server with a small video model. Run by hand: `npx tsx test/fuzz/attack-videos.ts [--only WORD]`, after
 * `npm run build`, with ffmpeg on this machine. It reports what attack.ts reports.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { writeTinyVideoModel } from '../model/tiny-model.ts';
import { Attacker } from './attacker.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-attack-'));

/** Makes a video with ffmpeg. */
function made(name: string, ...args: string[]): Buffer {
  const file = path.join(folder, name);
  const { status, stderr } = spawnSync('ffmpeg', ['-v', 'error', '-y', ...args, file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ffmpeg could not make ${name}: ${stderr}`);
  return readFileSync(file);
}
const drawn = (size: string, rate: number, seconds: number) => [
  ...['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=${rate}:duration=${seconds}`],
];
const dataUrl = (bytes: Uint8Array | string, type: string) =>
  `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
const bodyOf = (part: object) =>
  JSON.stringify({
    messages: [{ role: 'user', content: [part, { type: 'text', text: '?' }] }],
    max_tokens: 2,
  });
const videoBody = (bytes: Uint8Array | string) =>
  bodyOf({ type: 'video_url', video_url: { url: dataUrl(bytes, 'video/mp4') } });
const framesBody = (urls: readonly string[]) =>
  bodyOf({ type: 'video_frames', video_frames: urls.map((url, second) => ({ second, url })) });
const pngUrl = async (width: number, height: number) => {
  const background = { r: 200, g: 100, b: 50 };
  const png = await sharp({ create: { width, height, channels: 3, background }, limitInputPixels: false })
    .png()
    .toBuffer();
  return dataUrl(png, 'image/png');
};

/** Overwrites the fields of an MP4 box, behind the first occurrence of its name. */
function lying(bytes: Buffer, box: string, value: number): Buffer {
  const changed = Buffer.from(bytes);
  const at = changed.indexOf(box);
  for (let i = 8; i < 24; i += 4) changed.writeUInt32BE(value, at + i);
  return changed;
}

/** All are made before the server starts: ffmpeg blocks this process, and idle connections would be closed meanwhile. */
const small = made('small.mp4', ...drawn('64x48', 10, 5));
const everyStream = Array.from({ length: 900 }, () => ['-map', '0:v']).flat();
const videos = {
  'a video': small,
  '22 MB that are no video behind the beginning of one': Buffer.concat([
    small.subarray(0, 40),
    Buffer.alloc(22e6, 1),
  ]),
  'half of a video': small.subarray(0, small.length / 2),
  'the first kilobyte of a video': small.subarray(0, 1_000),
  'a minute of 240 frames a second': made('fast.mp4', ...drawn('16x16', 240, 62), '-preset', 'ultrafast'),
  '1,000 frames a second': made('faster.mkv', ...drawn('16x16', 1_000, 30), '-preset', 'ultrafast'),
  '900 streams': made(
    'streams.mkv',
    ...drawn('16x16', 1, 1),
    ...everyStream,
    '-c:v',
    'mjpeg',
    '-threads',
    '1',
  ),
  'frames of 60 megapixels': made('large.mkv', ...drawn('8192x7424', 1, 3), '-c:v', 'mjpeg', '-q:v', '20'),
  'frames above the limit of pixels': made(
    'larger.mkv',
    ...drawn('16000x4400', 1, 1),
    ...['-c:v', 'mjpeg', '-q:v', '31'],
  ),
  'frames of 16 x 16,000 pixels': made('tall.mkv', ...drawn('16x16000', 1, 5), '-c:v', 'mjpeg'),
  'frames of 16,000 x 16 pixels': made('wide.mkv', ...drawn('16000x16', 1, 5), '-c:v', 'mjpeg'),
};
const hd = made('hd.mp4', ...drawn('1280x720', 30, 25), '-preset', 'ultrafast');

{
  await using attacker = await Attacker.open(['--model', writeTinyVideoModel(path.join(folder, 'model'))]);
  const attack: Attacker['attack'] = (name, run) => attacker.attack(name, run);
  const send: Attacker['send'] = (...request) => attacker.send(...request);

  for (const [name, bytes] of Object.entries(videos)) await attack(name, () => send(videoBody(bytes)));
  const boxes = [
    'moov',
    'mvhd',
    'tkhd',
    'mdhd',
    'stts',
    'stsc',
    'stsz',
    'stco',
    'elst',
    'stsd',
    'avc1',
    'ctts',
  ];
  for (const box of boxes.filter((name) => small.includes(name))) {
    await attack(`lies in ${box}`, async () => {
      const values = [0, 1, 0x7fffffff, 0xffffffff];
      const answers = [];
      for (const value of values) answers.push(await send(videoBody(lying(small, box, value))));
      return answers.join(', ');
    });
  }
  await attack('six videos at once, and one honest request', async () => {
    const body = videoBody(hd);
    const six = Promise.all(Array.from({ length: 6 }, () => send(body)));
    return `${await attacker.honest()}; ${(await six).join()}`;
  });

  const pixel = await pngUrl(1, 1);
  await attack('10,000 frames', () => send(framesBody(Array(10_000).fill(pixel))));
  await attack('24 frames of one pixel', () => send(framesBody(Array(24).fill(pixel))));
  const frames: [string, string][] = [
    ['1 x 8,000,000', await pngUrl(1, 8_000_000)],
    ['8,000,000 x 1', await pngUrl(8_000_000, 1)],
    ['100 x 10,000', await pngUrl(100, 10_000)],
    ['8,000 x 8,000', await pngUrl(8_000, 8_000)],
    ['nothing', 'data:image/png;base64,'],
    ['a video', dataUrl(small, 'image/png')],
  ];
  for (const [name, url] of frames)
    await attack(`24 frames of ${name}`, () => send(framesBody(Array(24).fill(url))));
  await attack('32 MB in 24 frames that are no images', () =>
    send(framesBody(Array(24).fill(dataUrl(Buffer.alloc(900_000, 1), 'image/png')))),
  );
  await attack('clients that leave while their videos are decoded', async () => {
    const body = videoBody(small);
    const leave = new AbortController();
    const leaving = Array.from({ length: 20 }, () => send(body, undefined, leave.signal).catch(() => ''));
    setTimeout(() => leave.abort(), 500);
    await Promise.all(leaving);
    return attacker.honest();
  });
}
rmSync(folder, { recursive: true });
