import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { StoredImage } from '../../conversation/types.ts';
import { isLargeEnough, nudged, type Place, placeBetween } from '../../document/place.ts';
import { objectUrlOf, rotateImage } from '../../state/images.ts';
import { changeDraft } from '../../state/keeping.ts';
import { currentDraft, useApp, useText } from '../../state/state.ts';
import { ImageSize } from '../image-size.tsx';
import { Boxes } from './boxes.tsx';
import { ClipPane, ClipSize } from './clip-pane.tsx';
import { DocumentTools } from './document-tools.tsx';
import { Marks } from './marks.tsx';
import { Thumbnails } from './thumbnails.tsx';
import { FIT, useZoom } from './zoom.ts';

/** The image or video of the conversation: zoom, pan, marks, and the region to ask about. */
export function DocumentPane({ image }: { image: StoredImage }) {
  const text = useText();
  const region = useApp((value) => currentDraft(value).region);
  const [isMarking, setMarking] = useState(false);
  const viewport = useRef<HTMLDivElement>(null);
  const { zoom, setZoom, size } = useZoom(viewport, image);
  return (
    <section class="document" aria-label={text.document.name}>
      <DocumentTools
        image={image}
        zoom={zoom}
        onZoom={setZoom}
        isMarking={isMarking}
        onMarking={setMarking}
      />
      <div class="document-body">
        <Thumbnails />
        {image.video ? (
          <ClipPane name={image.name} clip={image.video} />
        ) : (
          <section
            class={`viewport ${isMarking ? 'marking' : zoom > FIT ? 'zoomed' : ''}`}
            ref={viewport}
            aria-label={image.name}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
            tabIndex={0}
            onKeyDown={(event) => {
              if (event.ctrlKey || event.metaKey || event.altKey) return;
              if (event.key === '+' || event.key === '=') setZoom(zoom * 1.25);
              else if (event.key === '-') setZoom(zoom / 1.25);
              else if (event.key === '0') setZoom(FIT);
              else if (event.key === 'r') void rotateImage();
            }}
          >
            <Canvas
              image={image}
              size={size}
              isMarking={isMarking}
              viewport={viewport}
              onMarked={() => setMarking(false)}
            >
              <Marks region={region} />
              <Boxes />
            </Canvas>
          </section>
        )}
      </div>
      <p class="document-foot muted small">
        {region ? (
          <>
            <strong>{text.document.regionOnly}</strong>{' '}
            <button type="button" class="link" onClick={() => changeDraft({ region: null })}>
              {text.document.wholeImage}
            </button>
          </>
        ) : image.video ? (
          <ClipSize clip={image.video} />
        ) : (
          <ImageSize image={image} />
        )}
      </p>
    </section>
  );
}

/** The image and the drawings over it. A pointer drags it, or marks a region. */
function Canvas(props: {
  image: StoredImage;
  size: { width: number; height: number };
  isMarking: boolean;
  viewport: { current: HTMLDivElement | null };
  onMarked: () => void;
  children: preact.ComponentChildren;
}) {
  const { image, size, isMarking, viewport, onMarked } = props;
  const text = useText();
  const element = useRef<HTMLDivElement>(null);
  const [drawn, setDrawn] = useState<Place | null>(null);
  const from = useRef<{ x: number; y: number } | null>(null);
  useLayoutEffect(() => {
    const { current } = element;
    if (!current) return;
    current.style.width = `${size.width}px`;
    current.style.height = `${size.height}px`;
  }, [size.width, size.height]);
  const shareOf = (event: PointerEvent) => {
    const box = element.current?.getBoundingClientRect();
    if (!box || box.width === 0) return { x: 0, y: 0 };
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  const finish = (place: Place | null) => {
    from.current = null;
    setDrawn(null);
    if (place && isLargeEnough(place)) {
      changeDraft({ region: place });
      onMarked();
    }
  };
  return (
    <div
      class="canvas"
      ref={element}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        if (isMarking) {
          event.preventDefault();
          event.currentTarget.setPointerCapture(event.pointerId);
          from.current = shareOf(event);
        } else if (event.pointerType === 'mouse') startPan(event, viewport.current);
      }}
      onPointerMove={(event) => {
        if (from.current) setDrawn(placeBetween(from.current, shareOf(event)));
      }}
      onPointerUp={() => from.current && finish(drawn)}
      onPointerCancel={() => finish(null)}
    >
      <img src={objectUrlOf(image.blob)} alt={image.name} draggable={false} />
      {props.children}
      {drawn && <Marks region={drawn} />}
      {isMarking && <RegionKeys label={text.document.regionKeys} onDone={onMarked} />}
    </div>
  );
}

const FIRST_REGION: Place = { x: 0.25, y: 0.25, width: 0.5, height: 0.25 };
const STEP = 0.02;

/** Marks a region from the keyboard: arrows move it, with Shift they change its size. */
function RegionKeys({ label, onDone }: { label: string; onDone: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  const region = useApp((value) => currentDraft(value).region);
  useEffect(() => button.current?.focus({ preventScroll: true }), []);
  return (
    <button
      type="button"
      ref={button}
      class="region-keys"
      aria-label={label}
      title={label}
      onClick={onDone}
      onKeyDown={(event) => {
        const moves: Record<string, [number, number]> = {
          ArrowLeft: [-STEP, 0],
          ArrowRight: [STEP, 0],
          ArrowUp: [0, -STEP],
          ArrowDown: [0, STEP],
        };
        const move = moves[event.key];
        if (event.key === 'Escape') {
          event.stopPropagation();
          changeDraft({ region: null });
          onDone();
        } else if (move) {
          event.preventDefault();
          event.stopPropagation();
          changeDraft({ region: region ? nudged(region, ...move, event.shiftKey) : FIRST_REGION });
        }
      }}
    />
  );
}

/** Drags the image with the mouse; touch screens scroll by themselves. */
function startPan(event: PointerEvent, viewport: HTMLDivElement | null): void {
  if (!viewport) return;
  event.preventDefault();
  viewport.focus({ preventScroll: true });
  const start = { x: event.clientX, y: event.clientY, left: viewport.scrollLeft, top: viewport.scrollTop };
  const move = (moved: PointerEvent) => {
    viewport.scrollLeft = start.left - (moved.clientX - start.x);
    viewport.scrollTop = start.top - (moved.clientY - start.y);
  };
  const end = () => {
    removeEventListener('pointermove', move);
    removeEventListener('pointerup', end);
  };
  addEventListener('pointermove', move);
  addEventListener('pointerup', end);
}
