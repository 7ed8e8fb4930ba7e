import { useApp, useText } from '../state/state.ts';

/** Files that are being read into a table. */
export function IntakeBar() {
  const text = useText();
  const intake = useApp((value) => value.intake);
  if (!intake) return null;
  const { done, total, name } = intake;
  return (
    <div class="banner" role="status">
      <span>{text.batch.reading(done + 1, total, name)}</span>
      <span class="loaded">
        <progress max={total} value={done} aria-label={text.batch.reading(done + 1, total, name)} />
      </span>
      <button type="button" class="plain" onClick={intake.stop}>
        {text.stop}
      </button>
    </div>
  );
}
