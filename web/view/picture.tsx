import type { Picture } from '../conversation/types.ts';
import { pictureUrl } from '../state/pictures.ts';
import { state, useApp, useText } from '../state/state.ts';

/** A picture that opens large, and under it what becomes of it. */
export function PictureCard({ picture, kind }: { picture: Picture; kind: 'draft' | 'asked' }) {
  return (
    <figure class={`picture ${kind}`}>
      <button type="button" class="picture-open" onClick={() => state.set({ viewing: picture.id })}>
        <img src={pictureUrl(picture.id)} alt={picture.name} width={picture.width} height={picture.height} />
      </button>
      <figcaption>
        <PictureSize picture={picture} />
      </figcaption>
    </figure>
  );
}

/** “sent as 1344 × 1344”, the original's size in the tooltip, and a sentence where the page changed the picture. */
export function PictureSize({ picture }: { picture: Picture }) {
  const text = useText();
  const size = useApp(({ info }) => info?.imageSize ?? null);
  const { original, width, height, blob } = picture;
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
