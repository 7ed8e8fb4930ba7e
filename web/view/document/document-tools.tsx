import type { StoredImage } from '../../conversation/types.ts';
import { rotateImage } from '../../state/images.ts';
import { state, useApp, useText } from '../../state/state.ts';
import { IconButton } from '../icon-button.tsx';
import { useShownBoxes } from './boxes.tsx';
import { FIT } from './zoom.ts';

interface ToolsProps {
  image: StoredImage;
  zoom: number;
  onZoom: (zoom: number) => void;
  isMarking: boolean;
  onMarking: (isMarking: boolean) => void;
}

export function DocumentTools(props: ToolsProps) {
  const { image } = props;
  const text = useText();
  return (
    <div class="document-tools" role="toolbar" aria-label={text.document.tools}>
      <span class="document-name" title={image.name} dir="auto">
        {image.name}
      </span>
      {!image.video && <ImageTools {...props} />}
    </div>
  );
}

function ImageTools({ zoom, onZoom, isMarking, onMarking }: ToolsProps) {
  const text = useText();
  const hasBoxes = useShownBoxes().length > 0;
  const hidesBoxes = useApp((value) => value.hidesBoxes);
  const isPreparing = useApp((value) => value.isPreparing);
  return (
    <>
      <IconButton
        icon="minus"
        label={text.document.zoomOut}
        disabled={zoom <= FIT}
        onClick={() => onZoom(zoom / 1.5)}
      />
      <button type="button" class="zoom" title={text.document.fit} onClick={() => onZoom(FIT)}>
        <span class="off-screen">{text.document.fit}, </span>
        {Math.round(zoom * 100)}%
      </button>
      <IconButton icon="plus" label={text.document.zoomIn} onClick={() => onZoom(zoom * 1.5)} />
      <IconButton
        icon="turn"
        label={text.document.turn}
        disabled={isPreparing}
        onClick={() => void rotateImage()}
      />
      {hasBoxes && (
        <IconButton
          icon="eye"
          label={text.document.showBoxes}
          pressed={!hidesBoxes}
          onClick={() => state.set({ hidesBoxes: !hidesBoxes })}
        />
      )}
      <IconButton
        icon="region"
        label={isMarking ? text.document.cancelRegion : text.document.markRegion}
        pressed={isMarking}
        onClick={() => onMarking(!isMarking)}
      />
    </>
  );
}
