/** Reads a video that a person chose: the file, if the server can read it, and frames with their seconds. */
import type { Clip, StoredImage } from '../conversation/types.ts';
import { drawn, encoded } from '../image/canvas.ts';
import { readImage } from '../image/read-image.ts';
import type { ImageLimits } from '../image/shrink-plan.ts';

/** The model sees images only, or neither the browser nor the server can read the file. */
export class VideoError extends Error {
  readonly reason: 'noVideoModel' | 'unreadable';

  constructor(reason: VideoError['reason']) {
    super(reason);
    this.reason = reason;
  }
}

export interface VideoServer {
  /** Whether it decodes video files. Without that it takes frames. */
  readsFiles: boolean;
  mostFrames: number;
}

/** The shorter side of a frame, in pixels: twice that of the model, because the server crops and resizes frames. */
const FRAME_SIDE = 448;
/** Duration of the last frame. The browser does not report it. Most videos have 24 to 30 frames per second. */
const LAST_FRAME_SECONDS = 0.04;
/** If a step takes longer, the browser cannot read the file. */
const STEP_MS = 20_000;

export function isVideo(file: Blob, name: string): boolean {
  return file.type.startsWith('video/') || /\.(mp4|m4v|mov|webm|mkv|avi|mpe?g|flv|wmv|ogv)$/i.test(name);
}

/** @throws VideoError */
export async function readVideo(
  file: Blob,
  name: string,
  server: VideoServer,
  limits: ImageLimits,
): Promise<StoredImage> {
  const isSent = server.readsFiles && file.size <= limits.fileLimitBytes;
  const { frames, durationSeconds } = await framesOf(file, server.mostFrames);
  if (frames.length === 0 && !isSent) throw new VideoError('unreadable');
  const first = frames[0]?.blob ?? (await placeholder());
  const image = await readImage(first, name, limits, null);
  const [type = ''] = file.type.startsWith('video/') ? file.type.split(';') : ['video/mp4'];
  const clip: Clip = {
    file: isSent ? new Blob([await file.arrayBuffer()], { type }) : null,
    frames,
    durationSeconds,
  };
  return { ...image, original: null, video: clip };
}

/** The frame at each second, drawn by the browser; empty if it cannot play the video. */
async function framesOf(file: Blob, mostFrames: number): Promise<Pick<Clip, 'frames' | 'durationSeconds'>> {
  const url = URL.createObjectURL(file);
  const video = document.createElement('video');
  const frames: Clip['frames'] = [];
  let durationSeconds: number | null = null;
  try {
    Object.assign(video, { muted: true, playsInline: true, preload: 'auto', src: url });
    await happened(video, 'loadeddata');
    durationSeconds = await durationOf(video);
    // The rule of the server: the last second is the one that is nearest to the start of the last frame.
    const latest = Math.max(0, Math.round(durationSeconds - LAST_FRAME_SECONDS));
    for (let second = 0; second <= Math.min(latest, mostFrames - 1); second++) {
      await seek(video, second);
      frames.push({ second, blob: await frameOf(video) });
    }
  } catch {
    // The frames before the error are kept.
  } finally {
    video.removeAttribute('src');
    video.load();
    URL.revokeObjectURL(url);
  }
  return { frames, durationSeconds };
}

/** A video that a browser recorded has no duration until somebody seeks to its end. */
async function durationOf(video: HTMLVideoElement): Promise<number> {
  if (!Number.isFinite(video.duration)) await seek(video, 1e6);
  return Number.isFinite(video.duration) ? video.duration : video.currentTime;
}

async function seek(video: HTMLVideoElement, second: number): Promise<void> {
  const sought = happened(video, 'seeked');
  video.currentTime = second;
  await sought;
}

async function frameOf(video: HTMLVideoElement): Promise<Blob> {
  const { videoWidth, videoHeight } = video;
  const factor = Math.min(1, FRAME_SIDE / Math.min(videoWidth, videoHeight));
  const size = { width: Math.round(videoWidth * factor), height: Math.round(videoHeight * factor) };
  return encoded(
    drawn(size, (context) => context.drawImage(video, 0, 0, size.width, size.height)),
    'image/jpeg',
  );
}

/** The image of a video that only the server can read. */
function placeholder(): Promise<Blob> {
  const canvas = drawn({ width: 320, height: 180 }, (context) => {
    context.fillStyle = '#555';
    context.fillRect(0, 0, 320, 180);
    context.fillStyle = '#fff';
    context.fill(new Path2D('M140 60v60l50-30z'));
  });
  return encoded(canvas, 'image/png');
}

function happened(video: HTMLVideoElement, event: 'loadeddata' | 'seeked'): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Error('The browser cannot read the video.'));
    const timer = setTimeout(fail, STEP_MS);
    video.addEventListener('error', fail, { once: true });
    video.addEventListener(
      event,
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
