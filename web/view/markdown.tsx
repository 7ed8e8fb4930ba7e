import type { Token } from 'marked';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { closeOpen } from '../markdown/close-open.ts';
import { copyWithSources } from '../markdown/copy-with-sources.ts';
import { blocksOf, elementsOf } from '../markdown/render.ts';
import { copyText } from '../state/clipboard.ts';
import { useText } from '../state/state.ts';

/** A model's text. Blocks that did not change are not drawn again while it grows. */
export function Markdown({ text, isGrowing }: { text: string; isGrowing: boolean }) {
  const blocks = useMemo(() => blocksOf(isGrowing ? closeOpen(text) : text), [text, isGrowing]);
  return (
    <div class="markdown" onCopy={copyWithSources}>
      {blocks.map((block, index) => (
        <Block key={index} block={block} />
      ))}
    </div>
  );
}

function Block({ block }: { block: Token }) {
  const element = useRef<HTMLDivElement>(null);
  const text = useText();
  // The same source is the same block.
  useLayoutEffect(() => {
    const { current } = element;
    current?.replaceChildren(elementsOf(block, current));
  }, [block.raw]);
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
