import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useText } from '../state/state.ts';
import { IconButton } from './icon-button.tsx';
import { Notices } from './notices.tsx';

/** A dialog of the browser: it keeps the focus, Escape closes it, and the focus goes back to where it was. */
export function Panel(props: {
  title: string;
  kind: string;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const text = useText();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard has Escape.
    <dialog
      ref={dialog}
      class={`panel ${props.kind}`}
      aria-label={props.title}
      onClose={props.onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <div class="panel-inside">
        <div class="panel-top">
          <h2>{props.title}</h2>
          <IconButton icon="close" label={text.close} onClick={() => dialog.current?.close()} />
        </div>
        {props.children}
      </div>
      <Notices />
    </dialog>
  );
}
