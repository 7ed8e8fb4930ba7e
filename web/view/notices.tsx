import { dismiss } from '../state/notices.ts';
import { useApp, useText } from '../state/state.ts';
import { IconButton } from './icon-button.tsx';

export function Notices() {
  const text = useText();
  const notices = useApp((value) => value.notices);
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.map(({ id, kind, text: words, action }) => (
        <div key={id} class={`notice ${kind}`}>
          <span>{words}</span>
          {action && (
            <button
              type="button"
              class="plain"
              onClick={() => {
                action.run();
                dismiss(id);
              }}
            >
              {action.label}
            </button>
          )}
          <IconButton icon="close" label={text.close} onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
