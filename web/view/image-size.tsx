import type { StoredImage } from '../conversation/types.ts';
import { useApp, useText } from '../state/state.ts';

/** “sent as 1344 × 1344”, the original's size in the tooltip, and a sentence if the page changed the image. */
export function ImageSize({ image }: { image: StoredImage }) {
  const text = useText();
  const size = useApp(({ info }) => info?.imageSize ?? null);
  const { original, width, height, blob } = image;
  const from = original ?? { width, height, sizeBytes: blob.size };
  const originalSize = text.originalSize(from.width, from.height, from.sizeBytes);
  const isSmaller = original !== null && (original.width !== width || original.height !== height);
  return (
    <>
      {size && (
        <span class="sent-as" title={`${originalSize}\n${text.seenAs(size, size)}`}>
          {text.sentAs(size, size)}
          <span class="off-screen"> {originalSize}</span>
        </span>
      )}
      {original && (
        <span class="changed">{isSmaller ? text.shrunk(width, height, blob.size) : text.converted}</span>
      )}
    </>
  );
}
