import { useRef } from 'preact/hooks';
import type { Clip } from '../../conversation/types.ts';
import { objectUrlOf } from '../../state/images.ts';
import { useApp, useText } from '../../state/state.ts';

/** The video of the conversation, and the frames that the model sees. Clicking a frame moves the video to its second. */
export function ClipPane({ name, clip }: { name: string; clip: Clip }) {
  const text = useText();
  const video = useRef<HTMLVideoElement>(null);
  const seek = (second: number) => {
    if (video.current) video.current.currentTime = second;
  };
  const { file, frames } = clip;
  if (frames.length === 0) return <p class="clip muted">{text.video.notShown}</p>;
  return (
    <section class="clip" aria-label={name}>
      {file && <video ref={video} src={objectUrlOf(file)} controls muted playsInline aria-label={name} />}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard. */}
      <ul class="frames" aria-label={text.video.frames} tabIndex={0}>
        {frames.map(({ second, blob }) => (
          <li key={second}>
            <button type="button" disabled={!file} onClick={() => seek(second)}>
              <img src={objectUrlOf(blob)} alt="" />
              <span>{text.video.second(second)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The part of the video that the model sees. */
export function ClipSize({ clip: { frames, durationSeconds } }: { clip: Clip }) {
  const text = useText();
  const mostFrames = useApp(({ info }) => info?.video?.mostFrames ?? frames.length);
  return <span>{text.video.sent(mostFrames, durationSeconds)}</span>;
}
