import { Icon, type IconName } from './icons.tsx';

/** A button with an icon only. Its label is its tooltip and its name for screen readers. */
export function IconButton(props: {
  icon: IconName;
  label: string;
  onClick: () => void;
  kind?: string;
  disabled?: boolean;
  expanded?: boolean;
  /** For a toggle button. */
  pressed?: boolean;
}) {
  return (
    <button
      type="button"
      class={`icon-button ${props.kind ?? ''}`}
      aria-label={props.label}
      title={props.label}
      aria-expanded={props.expanded}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
    </button>
  );
}
