import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import type { StoredImage } from '../../conversation/types.ts';

/** The whole image is visible. Larger factors enlarge it from there. */
export const FIT = 1;
const MOST = 12;

/** The size and the zoom factor of the image. Ctrl and the wheel zoom at the pointer. */
export function useZoom(viewport: { current: HTMLDivElement | null }, image: StoredImage) {
  const [zoom, set] = useState(FIT);
  const [room, setRoom] = useState({ width: 0, height: 0 });
  const setZoom = (factor: number) =>
    set(Math.min(MOST, Math.max(FIT, Math.abs(factor - FIT) < 0.04 ? FIT : factor)));
  useLayoutEffect(() => {
    const { current } = viewport;
    if (!current) return;
    const measure = () => {
      const { paddingInlineStart, paddingBlockStart } = getComputedStyle(current);
      const [x, y] = [2 * Number.parseFloat(paddingInlineStart), 2 * Number.parseFloat(paddingBlockStart)];
      setRoom({ width: current.clientWidth - x, height: current.clientHeight - y });
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const { current } = viewport;
    if (!current) return;
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const factor = Math.exp(-event.deltaY / 300);
      keepPlace(current, event, () => set((old) => Math.min(MOST, Math.max(FIT, old * factor))));
    };
    current.addEventListener('wheel', onWheel, { passive: false });
    return () => current.removeEventListener('wheel', onWheel);
  }, []);
  const fit = Math.min(room.width / image.width, room.height / image.height);
  const scale = Number.isFinite(fit) ? fit * zoom : 0;
  return { zoom, setZoom, size: { width: image.width * scale, height: image.height * scale } };
}

/** The point under the pointer stays in place. */
function keepPlace(viewport: HTMLDivElement, event: WheelEvent, change: () => void): void {
  const box = viewport.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const share = {
    x: (viewport.scrollLeft + x) / viewport.scrollWidth,
    y: (viewport.scrollTop + y) / viewport.scrollHeight,
  };
  change();
  requestAnimationFrame(() => {
    viewport.scrollLeft = share.x * viewport.scrollWidth - x;
    viewport.scrollTop = share.y * viewport.scrollHeight - y;
  });
}
