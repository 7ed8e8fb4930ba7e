import { pictureUrl } from '../state/pictures.ts';
import { state, useApp } from '../state/state.ts';
import { Panel } from './panel.tsx';
import { PictureSize } from './picture.tsx';

/** A picture, as large as it goes. */
export function Viewer({ id }: { id: string }) {
  const picture = useApp(({ pictures }) => pictures[id]);
  if (!picture) return null;
  return (
    <Panel title={picture.name} kind="viewer" onClose={() => state.set({ viewing: null })}>
      <img src={pictureUrl(id)} alt={picture.name} />
      <p class="muted small">
        <PictureSize picture={picture} />
      </p>
    </Panel>
  );
}
