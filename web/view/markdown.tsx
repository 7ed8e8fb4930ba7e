import type { Token } from 'marked';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { closeOpen } from '../markdown/close-open.ts';
import { copyWithSources } from '../markdown/copy-with-sources.ts';
import { blocksOf, countBoxes, elementsOf } from '../markdown/render.ts';
import { copyText } from '../state/clipboard.ts';
import { useText } from '../state/state.ts';

interface MarkdownBoxes {
  /** The index of the boxes that are highlighted. */
  marked: number | null;
  onMark: (index: number | null) => void;
}

/** A model's text. Blocks that did not change are not drawn again while it grows. */
export function Markdown(props: { text: string; isGrowing: boolean; boxes: MarkdownBoxes | null }) {
  const { text, isGrowing, boxes } = props;
  const element = useRef<HTMLDivElement>(null);
  const blocks = useMemo(() => blocksOf(isGrowing ? closeOpen(text) : text), [text, isGrowing]);
  const marked = boxes?.marked ?? null;
  useLayoutEffect(() => {
    for (const boxed of element.current?.querySelectorAll<HTMLElement>('.boxed') ?? [])
      boxed.classList.toggle('marked', boxed.dataset.box === String(marked));
  }, [blocks, marked]);
  const mark = ({ target }: Event) => boxes?.onMark(boxIndexOf(target));
  let firstBox = 0;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: only its buttons are clicked, and the keyboard reaches them.
    // biome-ignore lint/a11y/noStaticElementInteractions: as above.
    <div
      ref={element}
      class="markdown"
      onCopy={copyWithSources}
      onPointerOver={mark}
      onFocusIn={mark}
      onFocusOut={() => boxes?.onMark(null)}
      onClick={mark}
    >
      {blocks.map((block, index) => {
        const first = firstBox;
        firstBox += countBoxes(block);
        return <Block key={index} block={block} firstBox={boxes && first} />;
      })}
    </div>
  );
}

/** The index of the boxes of a phrase in the answer; null outside of a phrase. */
function boxIndexOf(target: EventTarget | null): number | null {
  const boxed = target instanceof Element ? target.closest<HTMLElement>('.boxed') : null;
  return boxed ? Number(boxed.dataset.box) : null;
}

/** @param props.firstBox the index of its first boxes in the answer; null: boxes are text */
function Block({ block, firstBox }: { block: Token; firstBox: number | null }) {
  const element = useRef<HTMLDivElement>(null);
  const text = useText();
  // The same source is the same block.
  useLayoutEffect(() => {
    const { current } = element;
    const boxes = firstBox === null ? null : { first: firstBox, label: text.document.box };
    current?.replaceChildren(elementsOf(block, current, boxes));
  }, [block.raw, firstBox, text]);
  if (block.type !== 'code') return <div ref={element} dir="auto" />;
  return (
    <div class="code">
      <div ref={element} />
      <button type="button" class="copy-code" onClick={() => copyText(block.text)}>
        {text.copyCode}
      </button>
    </div>
  );
}
