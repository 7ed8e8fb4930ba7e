import { Icon, type IconName } from './icons.tsx';

/** A button that is only an icon: its label is its name for a screen reader and its tooltip. */
export function IconButton(props: {
  icon: IconName;
  label: string;
  onClick: () => void;
  kind?: string;
  disabled?: boolean;
  expanded?: boolean;
  /** For a button that switches something on and off. */
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
