import { useEffect, useRef } from 'preact/hooks';
import { rowName } from '../../batch/types.ts';
import { openBatch } from '../../state/batches.ts';
import { currentBatch, useApp, useText } from '../../state/state.ts';

/** The pages of the batch, as small images. Nothing for a single image. */
export function Thumbnails() {
  const text = useText();
  const batch = useApp(currentBatch);
  const rowId = useApp((value) => value.rowId);
  const images = useApp((value) => value.images);
  const current = useRef<HTMLLIElement>(null);
  useEffect(() => current.current?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [rowId]);
  if (!batch || batch.rows.length < 2) return null;
  return (
    <ul class="thumbnails" aria-label={text.document.pages}>
      {batch.rows.map((row, index) => (
        <li key={row.id} ref={row.id === rowId ? current : null}>
          <button
            type="button"
            aria-label={`${index + 1}: ${rowName(row)}`}
            aria-current={row.id === rowId ? 'page' : undefined}
            onClick={() => openBatch(batch.id, row.id)}
          >
            {row.imageId !== null && images[row.imageId] && (
              <img src={images[row.imageId]?.thumbnail} alt="" loading="lazy" />
            )}
            <span aria-hidden="true">{index + 1}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
